import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

/** The screens are built into `dist/renderer`: plain files, the same for Electron's protocol and for the web server. */
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  plugins: [vue()],
  // The same code without `new Function`, which the content security policy forbids.
  resolve: { alias: { 'msgpackr/pack': 'msgpackr/index-no-eval' } },
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
    __VUE_I18N_FULL_INSTALL__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __INTLIFY_DROP_MESSAGE_COMPILER__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
  },
  build: {
    outDir: fileURLToPath(new URL('../dist/renderer', import.meta.url)),
    emptyOutDir: true,
    // What understands `light-dark()`, which the colours are written with.
    target: ['chrome123', 'firefox120', 'safari17.5'],
    // A file that is inlined would need `data:` in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
})
