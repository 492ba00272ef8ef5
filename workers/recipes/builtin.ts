import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('./builtin/', import.meta.url))

/** The recipes that come with Alambic, as YAML by name. */
export const builtins: Readonly<Record<string, string>> = Object.fromEntries(
  readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => [basename(file, '.yaml'), readFileSync(folder + file, 'utf8')]),
)
