import { launch } from './launch.mjs'

await launch('workers/bench/main.ts', process.argv.slice(2))
