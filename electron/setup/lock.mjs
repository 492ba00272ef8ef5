/**
 * `npm run lock`: resolves package.json anew into package-lock.json for every platform, and leaves out of it every
 * address: packages come from whatever registry a machine is set up with.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { npmCommand, root } from './install.mjs'

const file = join(root, 'package-lock.json')

/** @param {string} text of a package-lock.json @returns {string} the same without addresses */
export const withoutAddresses = (text) => {
  const lock = JSON.parse(text)
  for (const entry of Object.values(lock.packages)) {
    delete entry.funding
    delete entry.resolved
  }
  return `${JSON.stringify(lock, null, 2)}\n`
}

if (import.meta.filename === process.argv[1]) {
  const [command, first] = npmCommand()
  const args = ['install', '--package-lock-only', '--ignore-scripts', '--omit-lockfile-registry-resolved']
  const { status } = spawnSync(command, [...first, ...args], {
    cwd: root,
    stdio: 'inherit',
    shell: command.endsWith('.cmd'),
  })
  if (status !== 0) process.exit(status ?? 1)
  writeFileSync(file, withoutAddresses(readFileSync(file, 'utf8')))
}
