import { ensureScreens } from '../electron/setup/screens.mjs'

/** The tests drive the screens as they are built for people. */
export default function setup(): void {
  ensureScreens()
}
