import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { i18n } from './locales/index.ts'
import { router } from './router.ts'
import '@fontsource-variable/inter/index.css'
import './styles/tokens.css'
import './styles/base.css'

createApp(App).use(createPinia()).use(i18n).use(router).mount('#app')
