#!/usr/bin/env node
import { launch } from './launch.mjs'

await launch('electron/cli/main.ts', process.argv.slice(2))
