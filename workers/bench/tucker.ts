import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { arrayOf } from '../graph/tensor.ts'
import { layerWeights } from '../passes/layer-weights.ts'
import { tucker2 } from '../passes/factorize/tucker.ts'
import { buildZoo } from '../zoo/index.ts'
import { head, machine, row } from './pairs.ts'
import { Peer } from './peer.ts'
import type { TopicOptions } from './topic.ts'

/*
 * `npm run bench -- tucker --peers`: Tucker-2 of ResNet-18's sixteen 3×3 convolutions (random weights, which converge
 * slowest) at a quarter of the channels, here and in tensorly, layer by layer in turn.
 */
export async function benchmarkTucker({ peers, wanted }: TopicOptions): Promise<void> {
  const peer = peers ? await Peer.open('tucker2.py') : undefined
  const folder = mkdtempSync(join(tmpdir(), 'alambic-tucker-'))
  const totals = { ours: 0, theirs: 0 }
  const convs = layerWeights(buildZoo('resnet-18', { seed: 1 }).graph).filter(({ tensor }) => tensor.dims[2] === 3)
  console.log(`${machine(peer?.name)}; milliseconds, one run each in turn\n`)
  head('layer', 'shape', 'Alambic', 'error', 'tensorly', 'error', 'ratio')
  try {
    for (const { name, tensor } of convs.filter((c) => wanted.length === 0 || wanted.includes(c.name))) {
      const [out = 1, input = 1] = tensor.dims
      const [rankOut, rankIn] = [Math.max(1, out >> 2), Math.max(1, input >> 2)]
      const values = arrayOf(tensor) as Float32Array
      const started = performance.now()
      const { error } = tucker2({ out, in: input, kernel: [3, 3], data: Float64Array.from(values) }, rankOut, rankIn)
      const ours = performance.now() - started
      const path = join(folder, 'weight.f32')
      writeFileSync(path, values)
      const answer = await peer?.ask(`${path} ${out} ${input} ${rankOut} ${rankIn}`)
      const theirs = Number(answer?.['ms'] ?? NaN)
      totals.ours += ours
      totals.theirs += theirs
      row(
        name,
        tensor.dims.join('×'),
        ours.toFixed(0),
        error.toFixed(5),
        theirs.toFixed(0),
        Number(answer?.['error'] ?? NaN).toFixed(5),
        (theirs / ours).toFixed(1),
      )
    }
  } finally {
    peer?.close()
    rmSync(folder, { recursive: true, force: true })
  }
  row('all', '', totals.ours.toFixed(0), '', totals.theirs.toFixed(0), '', (totals.theirs / totals.ours).toFixed(1))
}
