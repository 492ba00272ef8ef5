import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { preprocessingFor, type Dataset } from '../../datasets/index.ts'
import type { Executor } from '../../executors/executor.ts'
import { modelOf, type Graph, type Model } from '../../graph/graph.ts'
import { readModel, writeModel } from '../../onnx/index.ts'
import { pack } from '../../pack/index.ts'
import { existingQuantization, prepareForQuantization, toFloat16 } from '../../passes/index.ts'
import { AlambicError } from '../../protocol/errors.ts'
import type { Tolerance } from '../../protocol/studio.ts'
import type { ExportFormat, Progress } from '../../protocol/worker.ts'
import { asIntegerOperators } from '../../recipes/quantize/checks.ts'
import type { StepContext } from '../../recipes/step.ts'
import { quantize } from '../../recipes/steps/quantize.ts'

/** What an export is made of. */
export interface Source {
  /** The model's own file. */
  readonly path: string
  readonly model: Model
  readonly data: Dataset | undefined
  readonly executor: Executor
  readonly threads: number | undefined
  readonly seed: number
  readonly onProgress: (progress: Progress) => void
  readonly stopping: () => boolean
}

interface Format {
  readonly ending: string
  readonly tolerance: Tolerance
  /** Writes the file; answers notes for the person. */
  readonly write: (source: Source, output: string) => Promise<readonly string[]>
}

/** Accumulation in another order, by fused kernels. */
const FUSED = 1e-4
/** Half precision has 11 bits, of which long sums lose some. */
const HALF = 2e-2

export const formats: Readonly<Record<ExportFormat, Format>> = {
  onnx: { ending: '.onnx', tolerance: { relative: FUSED }, write: writeOnnx },
  fp16: {
    ending: '.onnx',
    tolerance: { relative: HALF },
    write: async ({ model }, output) => {
      const { graph, report } = toFloat16(prepareForQuantization(model.graph))
      if (!report.modified) throw nothingTo('float16', model)
      await writeModel(withGraph(model, graph), output)
      const kept = Object.entries(report.kept).map(([op, n]) => `${n} ${op}`)
      return [...report.warnings, ...(kept.length > 0 ? [`kept in float32: ${kept.join(', ')}`] : [])]
    },
  },
  qdq: {
    ending: '.onnx',
    tolerance: { agreement: 0.95 },
    write: (source, output) => writeQuantized(source, output, 'qdq'),
  },
  qoperator: {
    ending: '.onnx',
    tolerance: { agreement: 0.95 },
    write: (source, output) => writeQuantized(source, output, 'qoperator'),
  },
  cmpz: {
    ending: '.cmpz',
    tolerance: { relative: FUSED },
    write: async ({ path }, output) => {
      const { chunks, report } = pack(await readFile(path))
      await writeFile(output, Buffer.concat([...chunks]))
      return [`${report.ratio.toFixed(1)}× smaller than the ONNX file; holds it bit for bit`]
    },
  },
  ort: {
    ending: '.ort',
    tolerance: { relative: FUSED },
    write: async ({ path }, output) => {
      const { writeOrtFormat } = await import('../../executors/ort/file.ts')
      await writeOrtFormat(path, output)
      return []
    },
  },
  folder: { ending: '', tolerance: { relative: FUSED }, write: writeOnnx },
}

/** One file with all weights inside. The model's own bytes where it is one already. */
async function writeOnnx({ path, model }: Source, output: string): Promise<readonly string[]> {
  const { externalFiles } = await readModel(path)
  if (externalFiles.length === 0) await copyFile(path, output)
  else await writeModel(model, output)
  return []
}

const withGraph = (model: Model, graph: Graph): Model => ({
  ...model,
  graph,
  irVersion: Math.max(model.irVersion, modelOf(graph).irVersion),
})

const nothingTo = (what: string, model: Model): AlambicError =>
  new AlambicError('export.nothing', `there is nothing in this model to store in ${what}`, {
    subject: model.graph.name,
    fix: 'Export it as ONNX.',
  })

/** A float model is quantized with the step's own defaults; one that has its scales already only changes its form. */
async function writeQuantized(source: Source, output: string, format: 'qdq' | 'qoperator'): Promise<readonly string[]> {
  const { model } = source
  const { operators } = existingQuantization(model.graph)
  const isPaired = operators['QuantizeLinear'] !== undefined
  if (isPaired && format === 'qdq') {
    await writeModel(model, output)
    return ['the model has these pairs already: it was written as it is']
  }
  if (isPaired) {
    await writeModel(withGraph(model, await asIntegerOperators(contextOf(source), model.graph)), output)
    return []
  }
  if (Object.keys(operators).length > 0) {
    throw new AlambicError('export.quantized', 'the model is quantized in another form already', {
      subject: model.graph.name,
      found: Object.keys(operators).join(', '),
      fix: 'Export the model that it was made from.',
    })
  }
  const options = quantize.options.parse({ mode: 'static', format, preprocessing: ownPreprocessing(source) })
  const { model: made, report } = await quantize.run(contextOf(source), options)
  await writeModel(made, output)
  return (report['warnings'] as readonly string[] | undefined) ?? []
}

const ownPreprocessing = ({ data, model }: Source) => (data ? preprocessingFor(data, model) : undefined)

/** Where a single step runs that keeps no checkpoints. */
function contextOf({ model, data, seed, threads, executor, onProgress, stopping }: Source): StepContext {
  if (!data) {
    throw new AlambicError('export.no-data', 'quantizing needs samples to see the ranges of activations', {
      expected: 'a data set',
      fix: 'Give one with --data, or export as fp16.',
    })
  }
  return {
    model,
    source: model,
    data,
    seed,
    threads,
    executor,
    journal: {
      resume: async () => undefined,
      save: async () => undefined,
      due: () => false,
      metrics: () => undefined,
      event: () => undefined,
      progress: onProgress,
    },
    open: () => Promise.reject(new AlambicError('export.no-model', 'an export has one model')),
    stopping,
  }
}
