import js from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import vue from 'eslint-plugin-vue'
import accessibility from 'eslint-plugin-vuejs-accessibility'
import tseslint from 'typescript-eslint'
import alambic from './electron/setup/lint/rules.js'

// Which folder may import which is the table in electron/setup/lint/arrows.js.
export default defineConfig([
  globalIgnores(['node_modules', 'dist', 'out', 'coverage', 'resources', '**/generated/**']),
  {
    // There is no `eslint-disable` in this code: a rule that is wrong is changed here, for everybody.
    linterOptions: { noInlineConfig: true },
    plugins: { alambic },
    rules: {
      ...js.configs.recommended.rules,
      'alambic/import-arrows': 'error',
      'alambic/long-file': 'warn',
      'max-lines': ['error', 600],
      'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
      complexity: ['error', 20],
      eqeqeq: 'error',
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'] }],
      'object-shorthand': 'error',
      'prefer-template': 'error',
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // An async method without `await` turns a thrown error into a rejection, which its callers rely on.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    // The screens are checked with the types of a browser, the end-to-end tests with both.
    files: ['renderer/**/*.ts'],
    ignores: ['renderer/**/*.test.ts', 'renderer/vite.config.ts'],
    languageOptions: { parserOptions: { project: './renderer/tsconfig.json' } },
  },
  {
    files: ['renderer/**/*.test.ts', 'renderer/vite.config.ts'],
    languageOptions: { parserOptions: { project: './renderer/tsconfig.test.json' } },
  },
  {
    files: ['e2e/**/*.ts'],
    languageOptions: { parserOptions: { project: './e2e/tsconfig.json' } },
  },
  {
    files: ['**/*.vue'],
    extends: [tseslint.configs.recommended, vue.configs['flat/recommended'], accessibility.configs['flat/recommended']],
    languageOptions: { parserOptions: { parser: tseslint.parser } },
    rules: {
      // Types tell: vue-tsc checks every template.
      'no-undef': 'off',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      // A screen is named by its folder: `views/Runs.vue`.
      'vue/multi-word-component-names': 'off',
      'vue/block-lang': ['error', { script: { lang: 'ts' } }],
      'vue/no-v-html': 'error',
      'vue/no-static-inline-styles': 'error',
      'vue/require-default-prop': 'off',
      // A <script setup> is a module, not a function; its functions are still bounded.
      'vue/html-self-closing': ['error', { html: { void: 'always' } }],
      // A label stands around its field, or names it by `for`.
      'vuejs-accessibility/label-has-for': ['error', { required: { some: ['nesting', 'id'] } }],
      // It takes a separator with a value, which is a control, for a thing without a role.
      'vuejs-accessibility/no-static-element-interactions': 'off',
      // Prettier decides these.
      'vue/html-indent': 'off',
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/multiline-html-element-content-newline': 'off',
      'vue/html-closing-bracket-newline': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
  {
    // A store or a composable is a module in the form of a function.
    files: ['renderer/stores/*.ts', 'renderer/charts/use*.ts'],
    rules: { 'max-lines-per-function': ['error', { max: 160, skipBlankLines: true, skipComments: true }] },
  },
  {
    files: ['**/*.test.ts'],
    rules: { 'max-lines-per-function': 'off' },
  },
])
