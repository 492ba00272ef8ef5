import { release } from 'node:os'
import type { Hello } from '../../workers/protocol/studio.ts'
import { VERSION, type Host } from './host.ts'
import { systemLanguage } from './language.ts'

/** What a renderer hears first. */
export const hello = (host: Host): Hello => ({
  version: VERSION,
  node: process.version,
  platform: `${process.platform} ${process.arch} ${release()}`,
  shell: host.options.shell === 'desktop' ? 'desktop' : 'browser',
  session: host.hub.session,
  seq: host.hub.seq,
  dataFolder: host.options.home,
  projectsFolder: host.projectsFolder,
  roots: host.paths.roots,
  firstLaunch: host.firstLaunch,
  systemLanguage: systemLanguage(),
})
