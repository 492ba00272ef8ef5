import { createRouter, createWebHashHistory } from 'vue-router'
import './rpc/channel.ts'
import Devices from './views/Devices.vue'
import Projects from './views/Projects.vue'
import Project from './views/Project.vue'
import Run from './views/Run.vue'
import Runs from './views/Runs.vue'
import Settings from './views/Settings.vue'

/** Screens by address. The part behind `#` never reaches a server, and works with any protocol that serves files. */
export const router = createRouter({
  history: createWebHashHistory(),
  routes: [
    { path: '/projects', name: 'projects', component: Projects },
    { path: '/projects/:project', name: 'project', component: Project, props: true },
    { path: '/runs', name: 'runs', component: Runs },
    { path: '/runs/:run/:tab?', name: 'run', component: Run, props: true },
    { path: '/devices', name: 'devices', component: Devices },
    { path: '/settings', name: 'settings', component: Settings },
    { path: '/:rest(.*)*', redirect: '/projects' },
  ],
})
