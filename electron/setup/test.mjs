import { launch } from './launch.mjs'

await launch('electron/setup/test/main.ts', process.argv.slice(2))
