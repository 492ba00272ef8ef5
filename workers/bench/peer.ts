import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** What the programs under `peers/` need. */
const packages = [
  'torch',
  'numpy',
  'onnx',
  'onnxruntime',
  'onnxscript',
  'sympy',
  'tensorly',
  'torch-pruning',
  'torchvision',
]

/**
 * A Python program of `peers/` that does one piece of work for every line it gets, and answers each with a line of
 * JSON whose `ms` is how long it took. Its first line names what it runs on: `{"peer": "torch 2.15.0"}`.
 */
export class Peer {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>
  name = ''

  private constructor(program: string) {
    const script = fileURLToPath(new URL(`./peers/${program}`, import.meta.url))
    this.#child = spawn(peerPython(), [script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, THREADS: String(availableParallelism()) },
    })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  static async open(program: string): Promise<Peer> {
    const peer = new Peer(program)
    peer.name = String((await peer.#next())['peer'])
    return peer
  }

  async #next(): Promise<Readonly<Record<string, unknown>>> {
    const { value, done } = (await this.#lines.next()) as IteratorResult<string, undefined>
    if (done) throw new Error('the Python program ended early; its own words are above')
    return JSON.parse(value) as Readonly<Record<string, unknown>>
  }

  /** The answer to a line. */
  async ask(line: string): Promise<Readonly<Record<string, unknown>>> {
    this.#child.stdin.write(`${line}\n`)
    return this.#next()
  }

  /** Milliseconds of one piece of work. */
  once = async (line: string): Promise<number> => Number((await this.ask(line))['ms'])

  close(): void {
    this.#child.stdin.end()
  }
}

/** A Python with everything: ALAMBIC_PEERS names one, else a virtual environment is made, once. */
function peerPython(): string {
  const given = process.env['ALAMBIC_PEERS']
  if (given) return given
  const folder = fileURLToPath(new URL('../../node_modules/.cache/alambic/peers/', import.meta.url))
  const python = join(folder, 'bin', 'python')
  if (existsSync(python)) return python
  process.stderr.write('installing the Python programs to compare with (several GB, once) …\n')
  for (const [command, ...args] of [
    ['python3', '-m', 'venv', folder],
    [join(folder, 'bin', 'pip'), 'install', '-q', ...packages],
  ] as const) {
    if (spawnSync(command, args, { stdio: 'inherit' }).status !== 0) {
      throw new Error(`${command} ${args.join(' ')} failed; ALAMBIC_PEERS can name a Python that has the packages`)
    }
  }
  return python
}
