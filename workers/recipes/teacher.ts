import { Loader, type Augmentation, type Preprocessing } from '../datasets/index.ts'
import type { Program } from '../executors/executor.ts'
import type { Graph } from '../graph/graph.ts'
import { arrayOf, tensorOf, type Tensor } from '../graph/tensor.ts'
import { toFloat32 } from '../passes/index.ts'
import { bindDims } from '../ops/bind.ts'
import { asTensor } from '../graph/types.ts'
import { Eta } from './eta.ts'
import type { StepContext } from './step.ts'

export interface TeacherOptions {
  readonly batch: number
  readonly preprocessing: Preprocessing
  readonly augmentation: Augmentation
  readonly cache: boolean
}

/** Where a distillation step gets its teacher's logits from. */
export interface Teacher {
  /** f32 `[batch, classes]` for the samples of a batch; `x` is their preprocessed input. */
  logits(indices: Int32Array, x: Tensor): Promise<Tensor>
  report(): Readonly<Record<string, unknown>>
  close(): Promise<void>
}

/**
 * A frozen teacher. Its weights are constants of its own session, where onnxruntime's blocked convolutions apply.
 * One of 16 bits is run in float32: its logits are the same up to rounding, and the loss takes float32.
 * When every epoch shows the same inputs (no augmentation) its logits are computed once and kept.
 */
export async function openTeacher(context: StepContext, graph: Graph, options: TeacherOptions): Promise<Teacher> {
  const program = await context.executor.compile(withBatch(toFloat32(graph).graph, options.batch), {
    reuseOutputs: true,
    ...(context.threads === undefined ? {} : { threads: context.threads }),
  })
  const repeats = Object.keys(options.augmentation).length === 0
  return options.cache && repeats ? cached(context, graph, program, options) : live(graph, program)
}

/** Binds the batch dimension of every input. */
export function withBatch(graph: Graph, batch: number): Graph {
  const symbols = graph.inputs.flatMap((v) => {
    const dim = asTensor(v.type)?.shape?.[0]
    return typeof dim === 'string' ? [dim] : []
  })
  return symbols.length === 0 ? graph : bindDims(graph, Object.fromEntries(symbols.map((s) => [s, batch])))
}

const names = (graph: Graph) => [graph.requiredInputs[0]?.name ?? '', graph.outputs[0]?.name ?? ''] as const

function live(graph: Graph, program: Program): Teacher {
  const [input, output] = names(graph)
  return {
    logits: async (_indices, x) => (await program.run({ [input]: x }))[output] as Tensor,
    report: () => ({ cached: false }),
    close: () => program.dispose(),
  }
}

/** Computes the logits of the whole training split, in order, before the first step. */
async function cached(context: StepContext, graph: Graph, program: Program, options: TeacherOptions): Promise<Teacher> {
  const started = performance.now()
  const split = context.data.splits.train
  const count = split?.count ?? 0
  const [input, output] = names(graph)
  let table: Float32Array | undefined
  let classes = 0
  if (split) {
    const loader = new Loader(split, { ...options, augmentation: {}, shuffle: false, dropLast: false, seed: 0 })
    const eta = new Eta(loader.stepsPerEpoch, options.batch)
    // Asked to stop, no step comes that would need the rest.
    for (let i = 0; i < loader.stepsPerEpoch && !context.stopping(); i++) {
      const { x, indices } = await loader.batchAt(i)
      const result = (await program.run({ [input]: filled(x, options.batch) }))[output] as Tensor
      classes = result.dims.at(-1) as number
      table ??= new Float32Array(count * classes)
      table.set(
        (arrayOf(result) as Float32Array).subarray(0, indices.length * classes),
        (indices[0] as number) * classes,
      )
      eta.tick(i + 1)
      context.journal.progress({
        activity: 'teacher logits',
        done: i + 1,
        total: loader.stepsPerEpoch,
        ...eta.state(),
        values: {},
      })
    }
  }
  await program.dispose()
  const all = table ?? new Float32Array()
  const milliseconds = performance.now() - started
  return {
    logits: async (indices) => {
      const rows = new Float32Array(indices.length * classes)
      indices.forEach((index, i) => rows.set(all.subarray(index * classes, (index + 1) * classes), i * classes))
      return tensorOf('f32', [indices.length, classes], rows)
    },
    report: () => ({ cached: true, samples: count, milliseconds }),
    close: () => Promise.resolve(),
  }
}

/** The last batch of a pass, padded with zeros to the size that the session was compiled for. */
function filled(x: Tensor, batch: number): Tensor {
  const [n = 0, ...rest] = x.dims
  if (n === batch) return x
  const bytes = new Uint8Array((x.bytes.byteLength / n) * batch)
  bytes.set(x.bytes)
  return { dtype: x.dtype, dims: [batch, ...rest], bytes }
}
