import { mulberry32 } from '../graph/random.ts'
import { arrayOf, f32 } from '../graph/tensor.ts'
import { modelOf, type Graph } from '../graph/graph.ts'
import { encodeModel } from '../onnx/index.ts'
import { pack, unpack } from '../pack/index.ts'
import { kMeans } from '../passes/cluster/kmeans.ts'
import { layerWeights } from '../passes/layer-weights.ts'
import { pruneMagnitude } from '../passes/prune/magnitude.ts'
import { buildZoo } from '../zoo/index.ts'
import { cpuTime } from './open.ts'
import { head, least, machine, median, row } from './pairs.ts'

const RUNS = 3

/** Weights at 16 shared values a layer. */
function shared(graph: Graph): Graph {
  const initializers = new Map(graph.initializers)
  for (const { name, tensor } of layerWeights(graph)) {
    const values = arrayOf(tensor) as Float32Array
    const nonZeros = values.filter((v) => v !== 0)
    const { centroids, assignments } = kMeans(nonZeros, 16)
    let at = 0
    initializers.set(
      name,
      f32(
        values.map((v) => (v === 0 ? 0 : (centroids[assignments[at++] as number] as number))),
        tensor.dims,
      ),
    )
  }
  return graph.with({ initializers })
}

/** `npm run bench -- pack`: megabytes of ONNX file per second, the check that every packing ends with included. */
export function benchmarkPacking(): void {
  console.log(`${machine()}; MB/s of the ONNX file by processor time, median / best of ${RUNS} runs\n`)
  head('ResNet-18, random weights', 'ratio', 'pack', 'unpack')
  const dense = buildZoo('resnet-18', { seed: 1 }).graph
  const sparse = pruneMagnitude(dense, layerWeights(dense), { keep: 0.1, scope: 'layer' }).graph
  const quantized = dense.with({
    initializers: new Map([...dense.initializers].map(([name, t]) => [name, onGrid(name, t)])),
  })
  for (const [name, graph] of Object.entries({
    dense,
    '10 % kept': sparse,
    '10 % kept, 16 values': shared(sparse),
    '256 values': quantized,
  })) {
    const file = encodeModel(modelOf(graph))
    const container = Buffer.concat(pack(file).chunks)
    const speeds = (work: () => unknown) => {
      const rates = Array.from({ length: RUNS }, () => {
        const started = cpuTime()
        work()
        return file.length / 1e3 / (cpuTime() - started)
      })
      return `${median(rates).toFixed(0)} / ${(-least(rates.map((r) => -r))).toFixed(0)}`
    }
    row(
      name,
      (file.length / container.length).toFixed(1),
      speeds(() => pack(file)),
      speeds(() => unpack(container)),
    )
  }
}

/** Every element at one of 256 even steps. */
function onGrid(_name: string, tensor: ReturnType<typeof f32>) {
  if (tensor.dtype !== 'f32') return tensor
  const random = mulberry32(1)
  return f32(
    (arrayOf(tensor) as Float32Array).map(() => Math.floor(256 * random()) / 256),
    tensor.dims,
  )
}
