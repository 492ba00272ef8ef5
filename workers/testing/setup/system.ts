import { spawnSync } from 'node:child_process'
import { run, SetupFailure } from './python.ts'

const isThere = (command: string): boolean => spawnSync(command, ['--version']).status === 0

/** Names under which systems have Chromium; the first that runs is taken. */
const browsers = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']

const findBrowser = (): string | undefined => {
  const name = browsers.find(isThere)
  const found = name && spawnSync('which', [name], { encoding: 'utf8' }).stdout.trim()
  return found === '' ? undefined : found
}

/**
 * A Chromium for the end-to-end tests: the machine's, else Debian's, installed where that is allowed.
 *
 * @returns its path
 * @throws {SetupFailure}
 */
export const findOrInstallChromium = (): string => {
  const found = findBrowser()
  if (found !== undefined) return found
  // The second one has Chinese signs, so that what tests look at is what people see.
  const command = 'apt-get install -y --no-install-recommends chromium fonts-wqy-microhei'
  if (!isThere('apt-get')) throw new SetupFailure('no Chromium is on the PATH, and there is no apt-get to install it')
  if (process.getuid?.() !== 0)
    throw new SetupFailure(`no Chromium is on the PATH; \`sudo ${command}\` installs Debian’s`)
  console.error(`test set-up: ${command} …`)
  run('apt-get', ['update'], 'apt-get update')
  run('apt-get', command.split(' ').slice(1), command)
  const installed = findBrowser()
  if (installed === undefined) throw new SetupFailure('Chromium was installed, but it does not start')
  return installed
}
