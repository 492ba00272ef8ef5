import { createRouter, createWebHashHistory } from 'vue-router'
import './rpc/channel.ts'

/**
 * Screens by address; each is loaded when it is first shown. The part behind `#` never reaches a server, and works
 * with any protocol that serves files.
 */
export const router = createRouter({
  history: createWebHashHistory(),
  routes: [
    { path: '/projects', name: 'projects', component: () => import('./views/Projects.vue') },
    { path: '/projects/:project', name: 'project', component: () => import('./views/Project.vue'), props: true },
    {
      path: '/projects/:project/models/:model',
      name: 'model',
      component: () => import('./views/Inspect.vue'),
      props: true,
    },
    { path: '/recipes', name: 'recipes', component: () => import('./views/Recipes.vue') },
    { path: '/recipes/:project/:recipe', name: 'recipe', component: () => import('./views/Recipe.vue'), props: true },
    { path: '/help/:method?', name: 'help', component: () => import('./views/Help.vue'), props: true },
    { path: '/runs', name: 'runs', component: () => import('./views/Runs.vue') },
    { path: '/runs/:run/:tab?', name: 'run', component: () => import('./views/Run.vue'), props: true },
    { path: '/compare', name: 'compare', component: () => import('./views/Compare.vue') },
    { path: '/models', name: 'models', component: () => import('./views/Models.vue') },
    { path: '/devices', name: 'devices', component: () => import('./views/Devices.vue') },
    { path: '/settings', name: 'settings', component: () => import('./views/Settings.vue') },
    { path: '/:rest(.*)*', redirect: '/projects' },
  ],
})
