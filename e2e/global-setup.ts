import { fileURLToPath } from 'node:url'
import { ensurePages } from '../electron/cli/pages.ts'

/** The tests drive the screens as they are built for people. */
export default function setup(): void {
  ensurePages(fileURLToPath(new URL('..', import.meta.url)))
}
