import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ortCpu } from '../executors/ort/executor.ts'
import { modelOf } from '../graph/graph.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { writeModel } from '../onnx/index.ts'
import { prepareForQuantization } from '../passes/index.ts'
import { buildZoo } from '../zoo/index.ts'
import { head, inTurn, least, machine, ratio, row, spell } from './pairs.ts'
import { Peer } from './peer.ts'
import type { Topic } from './topic.ts'

/*
 * `npm run bench -- quantize [mobilenet-v2 resnet-50] --peers`: static quantization from file to file, here and with
 * onnxruntime.quantization, and the most memory that each took.
 */
const nets = ['mobilenet-v2', 'resnet-50'] as const
const methods = ['min-max', 'entropy', 'percentile'] as const
const counts = [32, 256] as const
const RUNS = 3
const IMAGES = 32

interface Answer {
  readonly ms: number
  readonly mb: number
}

const script = fileURLToPath(new URL('./quantize-once.ts', import.meta.url))

function ours(order: object): Answer {
  const { stdout, status } = spawnSync(process.execPath, [script, JSON.stringify(order)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error('our quantization ended with an error; its own words are above')
  return JSON.parse(stdout) as Answer
}

export const quantize: Topic = async ({ peers, wanted }) => {
  const folder = mkdtempSync(join(tmpdir(), 'alambic-bench-'))
  const peer = peers ? await Peer.open('quantize_static.py') : undefined
  console.log(machine(ortCpu.runtime, peer?.name))
  console.log(
    'static quantization, U8S8 per channel; ms as median / min, ratio above 1 we are faster, peak memory in MB\n',
  )
  try {
    const random = mulberry32(1)
    const samples = join(folder, 'images.f32')
    writeFileSync(
      samples,
      Float32Array.from({ length: IMAGES * 3 * 224 * 224 }, () => gaussian(random)),
    )
    head('net', 'method', 'samples', 'Alambic', 'peer', 'ratio', 'MB', 'MB of peer')
    for (const net of nets) {
      if (wanted.length > 0 && !wanted.includes(net)) continue
      const model = join(folder, `${net}.onnx`)
      await writeModel(modelOf(prepareForQuantization(buildZoo(net, { seed: 1 }).graph)), model)
      for (const method of methods) {
        for (const count of counts) {
          const order = { model, samples, method, count }
          const memory = { ours: [] as number[], theirs: [] as number[] }
          const left = async () => {
            const { ms, mb } = ours(order)
            memory.ours.push(mb)
            return ms
          }
          const right = async () => {
            const answer = (await peer?.ask(JSON.stringify(order))) as unknown as Answer
            memory.theirs.push(answer.mb)
            return answer.ms
          }
          const pair = await inTurn(left, peer ? right : undefined, count > 100 ? 1 : RUNS)
          const megabytes = (values: readonly number[]) => (values.length === 0 ? '–' : least(values).toFixed(0))
          row(
            net,
            method,
            String(count),
            spell(pair.ours),
            spell(pair.theirs),
            ratio(pair),
            megabytes(memory.ours),
            megabytes(memory.theirs),
          )
        }
      }
    }
  } finally {
    peer?.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
