import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { AlambicError } from '../../workers/protocol/errors.ts'
import { sha256 } from '../../workers/protocol/files/durable.ts'

/** What the pages are made of. */
const SOURCES = ['renderer', 'workers/protocol', 'package-lock.json']

/** A text that changes when a source does: names, sizes and times. */
function sourcesStamp(root: string): string {
  const lines = SOURCES.flatMap((source) => {
    const path = join(root, source)
    const found = statSync(path)
    const names = found.isDirectory() ? readdirSync(path, { recursive: true, encoding: 'utf8' }) : ['']
    return names.map((name) => {
      const { size, mtimeMs } = statSync(join(path, name))
      return `${join(source, name)} ${size} ${mtimeMs}`
    })
  })
  return sha256(lines.toSorted().join('\n'))
}

/** Builds the studio's pages into `dist/renderer` when that was not done since their sources changed. */
export function ensurePages(root: string): void {
  const stampFile = join(root, 'node_modules', '.cache', 'alambic', 'pages')
  const stamp = sourcesStamp(root)
  const built = existsSync(join(root, 'dist', 'renderer', 'index.html'))
  if (built && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  process.stderr.write('alambic: building the pages …\n')
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  const done = spawnSync(
    process.execPath,
    [vite, 'build', '--config', 'renderer/vite.config.ts', '--logLevel', 'error'],
    {
      cwd: root,
      stdio: ['ignore', 2, 2],
    },
  )
  if (done.status !== 0) {
    throw new AlambicError('pages.build', "the studio's pages could not be built", {
      found: done.error?.message ?? `exit code ${done.status}`,
      fix: 'See the lines above; npm test says more.',
    })
  }
  mkdirSync(dirname(stampFile), { recursive: true })
  writeFileSync(stampFile, stamp)
}
