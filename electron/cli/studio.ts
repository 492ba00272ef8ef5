import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { alambicHome } from '../../workers/protocol/files/home.ts'
import type { RunSummary } from '../../workers/protocol/studio.ts'
import { runningStudio } from '../web/keys.ts'
import { startBrowserStudio, type BrowserStudio } from '../web/studio.ts'
import { runDesktop } from './desktop.ts'
import { fetchElectron } from './fetch-electron.ts'
import { ensurePages } from './pages.ts'
import { ProgressPrinter } from './progress.ts'
import { chooseShell, electronProgram, hasDisplay, openCommand } from './shell.ts'
import { measuredTable } from './show.ts'
import { ExitCode } from './session.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const say = (text: string) => process.stdout.write(`${text}\n`)

export interface StudioCommand {
  /** False prints the address only. */
  readonly open?: boolean
  readonly port?: number
  readonly root?: readonly string[]
  /** False never starts the desktop shell. */
  readonly desktop?: boolean
}

/** Opens the studio in the best shell that there is, and stays until it is closed. */
export async function studio(command: StudioCommand = {}): Promise<void> {
  const around = { platform: process.platform, env: process.env }
  const display = hasDisplay(around)
  const wantsDesktop = command.desktop !== false && command.open !== false && display
  const electron = wantsDesktop ? (electronProgram(root) ?? (await fetchElectron(root))) : undefined
  ensurePages(root)
  const shell = chooseShell({ ...around, electron })
  if (shell.kind === 'desktop' && wantsDesktop) {
    process.exitCode = await runDesktop(root, shell.electron, [])
    return
  }
  const running = runningStudio(alambicHome())
  if (running !== undefined) {
    say(`The studio is open already: ${running}`)
    return display && command.open !== false ? openBrowser(running) : undefined
  }
  const { port, root: roots } = command
  const opened = await startBrowserStudio({ ...(port === undefined ? {} : { port }), ...(roots ? { roots } : {}) })
  say(`Alambic's studio: ${opened.server.address}`)
  if (command.open === false) return untilInterrupted(opened)
  if (display) {
    openBrowser(opened.server.address)
    return untilInterrupted(opened)
  }
  await inTerminal(opened)
}

function openBrowser(address: string): void {
  const [program, ...args] = openCommand(process.platform, address)
  // Where nothing opens addresses, the one that was printed is enough.
  spawn(program, args, { stdio: 'ignore', detached: true })
    .on('error', () => undefined)
    .unref()
}

/** Ctrl-C once lets runs save and end; twice ends at once, and they are found interrupted. */
function onInterrupt(stop: () => void): () => void {
  let asked = 0
  const listener = () => {
    asked++
    if (asked > 1) process.exit(ExitCode.stopped)
    process.stderr.write('\nsaving what runs, then closing; Ctrl-C again to end at once\n')
    stop()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, listener)
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, listener)
  }
}

async function untilInterrupted(opened: BrowserStudio): Promise<void> {
  say('Ctrl-C closes it; runs are saved and go on at the next start.')
  await new Promise<void>((resolve) => onInterrupt(resolve))
  await opened.close()
}

/** Without a display: the run of the sample project, as lines; then the address stays open for a person at a terminal. */
async function inTerminal(opened: BrowserStudio): Promise<void> {
  say('There is no display here, so this shows the run of the sample project: LeNet-5 is trained on MNIST, then')
  say('distilled into a net of a quarter of its width. Open the address above in a browser of this machine for more.')
  let interrupted = false
  const off = onInterrupt(() => (interrupted = true))
  const printer = new ProgressPrinter()
  const sample = await followSample(opened, printer, () => interrupted)
  printer.end()
  off()
  if (sample) say(resultOf(sample))
  if (process.stdout.isTTY && !interrupted) return untilInterrupted(opened)
  await opened.close()
  if (interrupted) process.exitCode = ExitCode.stopped
  else if (sample?.state === 'failed') process.exitCode = ExitCode.failed
}

async function followSample(
  { host }: BrowserStudio,
  printer: ProgressPrinter,
  stopped: () => boolean,
): Promise<RunSummary | undefined> {
  const project = [...host.projects.values()].find(({ file }) => file.sample)
  const run = [...(project?.runs.values() ?? [])][0]
  if (!run) return undefined
  host.hub.subscribe(
    (events) => {
      for (const event of events) {
        if (event.kind === 'progress' && event.run === run.key) printer.show(event.progress)
      }
    },
    { after: 0 },
  )
  const waits = new Set(['queued', 'preparing', 'running', 'pausing'])
  while (waits.has(run.state) && !stopped()) await new Promise((resolve) => setTimeout(resolve, 200))
  return run.summary()
}

function resultOf({ title, state, result, error }: RunSummary): string {
  if (error) return `${title}: ${state}: ${error.message}`
  if (!result) return `${title}: ${state}`
  const row = { ...(result as unknown as Parameters<typeof measuredTable>[0][number]), label: 'student' }
  return `\n${measuredTable([row])}\n\naccuracy on 10,000 test images ± its standard error; latency of one image, this machine\nnext: npm start -- --help`
}
