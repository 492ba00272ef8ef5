import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Program } from '../executors/executor.ts'
import { ortCpu } from '../executors/ort/executor.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { sizeOf, tensorOf, type Tensor } from '../graph/tensor.ts'
import { asTensor, staticShape } from '../graph/types.ts'
import { crossEntropy } from '../train/losses.ts'
import { optimizer } from '../train/optimizers.ts'
import { prepare } from '../train/prepare.ts'
import { buildStep, type StepGraph } from '../train/step.ts'
import { benchmarkNets, type BenchmarkId } from '../zoo/index.ts'
import { benchmarkOpening } from './open.ts'

/*
 * `npm run bench`: milliseconds of a training step (batch 128, Adam), and with `--peers` the same step in PyTorch, the
 * two in turn, with the ratio pair by pair. Above 1 we are faster. `npm run bench -- open` times the opening of models.
 */

const RUNS = 15
const cache = fileURLToPath(new URL('../../node_modules/.cache/alambic/peers/', import.meta.url))

/** Our net, and what the peers call it. */
const nets: readonly (readonly [BenchmarkId, string])[] = Object.keys(benchmarkNets).map((id) => [
  id as BenchmarkId,
  id.replace('bench-', ''),
])

interface Stepper {
  readonly once: () => Promise<number>
  readonly close: () => Promise<void>
}

async function ours(id: BenchmarkId): Promise<Stepper> {
  const step = buildStep(prepare(benchmarkNets[id].build(), { batch: 128 }), {
    losses: [crossEntropy()],
    optimizer: optimizer('adam'),
  })
  const program: Program = await ortCpu.compile(step.graph, { state: step.state, reuseOutputs: true })
  await program.writeState(Object.fromEntries(step.state.map((s) => [s.input, s.initial])))
  const feeds = feedsOf(step)
  let count = 0
  const once = async () => {
    const started = performance.now()
    await program.run({ ...feeds, ...step.hyper(++count, 1e-3) })
    return performance.now() - started
  }
  for (let i = 0; i < 3; i++) await once()
  return { once, close: () => program.dispose() }
}

function feedsOf(step: StepGraph): Record<string, Tensor> {
  const random = mulberry32(1)
  const batch = step.batch.map(({ name, type }): [string, Tensor] => {
    const dims = staticShape(type) ?? []
    const size = sizeOf(dims)
    if (asTensor(type)?.dtype === 'i64') {
      return [
        name,
        tensorOf(
          'i64',
          dims,
          BigInt64Array.from({ length: size }, () => BigInt(Math.floor(random() * 10))),
        ),
      ]
    }
    return [
      name,
      tensorOf(
        'f32',
        dims,
        Float32Array.from({ length: size }, () => gaussian(random)),
      ),
    ]
  })
  const masks = step.masks.map(({ input, dims }): [string, Tensor] => [
    input,
    tensorOf('u8', dims, new Uint8Array(sizeOf(dims)).fill(1)),
  ])
  return Object.fromEntries([...batch, ...masks])
}

/** The PyTorch side: one process that steps a net for every line it gets. */
class Peer {
  readonly #child: ReturnType<typeof spawn>
  readonly #lines: AsyncIterator<string>
  name = ''

  constructor(python: string) {
    const script = fileURLToPath(new URL('./peers/train_step.py', import.meta.url))
    this.#child = spawn(python, [script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, THREADS: String(availableParallelism()) },
    })
    this.#lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
  }

  async #next(): Promise<Record<string, unknown>> {
    const { value, done } = (await this.#lines.next()) as IteratorResult<string, undefined>
    if (done) throw new Error('the PyTorch program ended early; its own words are above')
    return JSON.parse(value) as Record<string, unknown>
  }

  async open(): Promise<this> {
    this.name = String((await this.#next())['peer'])
    return this
  }

  async once(net: string): Promise<number> {
    this.#child.stdin?.write(`${net}\n`)
    return Number((await this.#next())['ms'])
  }

  close(): void {
    this.#child.stdin?.end()
  }
}

/** A Python with PyTorch: ALAMBIC_PEERS names one, else a virtual environment is made. */
function peerPython(): string {
  const given = process.env['ALAMBIC_PEERS']
  if (given) return given
  const python = join(cache, 'bin', 'python')
  if (!existsSync(python)) {
    process.stderr.write('installing PyTorch for the comparison (several GB, once) …\n')
    for (const [command, ...args] of [
      ['python3', '-m', 'venv', cache],
      [join(cache, 'bin', 'pip'), 'install', '-q', 'torch', 'numpy'],
    ] as const) {
      if (spawnSync(command, args, { stdio: 'inherit' }).status !== 0)
        throw new Error(`${command} ${args.join(' ')} failed`)
    }
  }
  return python
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number
const spell = (values: readonly number[]): string => `${median(values).toFixed(1)} / ${Math.min(...values).toFixed(1)}`

function flags(): string {
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : ''
  return ['avx2', 'avx512f', 'avx512_vnni', 'amx_tile'].filter((flag) => info.includes(flag)).join(' ')
}

async function main(words: readonly string[]): Promise<void> {
  if (words[0] === 'open') return benchmarkOpening()
  const peer = words.includes('--peers') ? await new Peer(peerPython()).open() : undefined
  const wanted = words.filter((w) => !w.startsWith('--'))
  console.log(
    `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} threads, ${flags()}; ${ortCpu.runtime}; ${peer?.name ?? 'no peer'}`,
  )
  console.log(
    'training step, batch 128, Adam; ms as median / min; ratio of medians / of minima, above 1 we are faster\n',
  )
  console.log('| net | Alambic | peer | ratio |\n| --- | --- | --- | --- |')
  for (const [id, name] of nets) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    const stepper = await ours(id)
    const [a, b]: [number[], number[]] = [[], []]
    await peer?.once(name)
    for (let i = 0; i < RUNS; i++) {
      a.push(await stepper.once())
      if (peer) b.push(await peer.once(name))
    }
    await stepper.close()
    const ratio = peer ? `${(median(b) / median(a)).toFixed(2)} / ${(Math.min(...b) / Math.min(...a)).toFixed(2)}` : '–'
    console.log(`| ${name} | ${spell(a)} | ${peer ? spell(b) : '–'} | ${ratio} |`)
  }
  peer?.close()
}

await main(process.argv.slice(2))
