import { Loader, preprocessingFor, type Dataset, type Split } from '../datasets/index.ts'
import type { Executor } from '../executors/executor.ts'
import type { Graph, Model } from '../graph/graph.ts'
import { arrayOf, type Tensor } from '../graph/tensor.ts'
import { evaluate, probabilities } from '../measure/accuracy.ts'
import { encodeModel } from '../onnx/index.ts'
import { replaceFile, sha256 } from '../protocol/files/durable.ts'
import type { ExportPointRequest, EvaluatePointRequest, Report, SamplesRequest } from '../protocol/worker.ts'
import { withBatch } from '../recipes/teacher.ts'
import type { CallEnvironment } from './calls.ts'
import { imageOf, splitOf } from './compare.ts'
import { modelAt } from './stage.ts'
import type { z } from 'zod'

type Request<Schema extends z.ZodType> = z.output<Schema>

const open = async (point: Parameters<typeof modelAt>[0], { executor, listener }: CallEnvironment) => {
  const engine = await executor()
  return { engine, at: await modelAt(point, { executor: engine, listener }) }
}

/** Writes the model of a point of a run as a file. */
export async function exportPoint(
  request: Request<typeof ExportPointRequest>,
  environment: CallEnvironment,
): Promise<Report> {
  const { at } = await open(request, environment)
  const bytes = encodeModel(at.model)
  await replaceFile(request.output, bytes)
  return { output: request.output, bytes: bytes.length, sha256: sha256(bytes), stage: at.stage, step: at.step }
}

/** Accuracy of the model of a point of a run, on the run's own data. */
export async function evaluatePoint(
  request: Request<typeof EvaluatePointRequest>,
  environment: CallEnvironment,
): Promise<Report> {
  const { at, engine } = await open(request, environment)
  const split = splitOf(at.data, request.split)
  const {
    predictions: _one,
    confidences: _two,
    ...result
  } = await evaluate(at.model.graph, split, preprocessingFor(at.data, at.model), {
    executor: engine,
    threads: at.request.threads,
  })
  const { stage, step } = at
  return {
    ...result,
    stage,
    step,
    split: request.split,
    data: at.data.id,
    dataHash: split.hash,
    runtime: engine.runtime,
  }
}

/** Inputs of the test split with what the model of a point, and its teacher, say of them. */
export async function samples(request: Request<typeof SamplesRequest>, environment: CallEnvironment): Promise<Report> {
  const { at, engine } = await open(request, environment)
  const split = at.data.splits.test ?? splitOf(at.data, 'validation')
  const offset = Math.min(request.offset, Math.max(0, split.count - 1))
  const count = Math.min(request.count, split.count - offset)
  const student = await predict(engine, at.model, at.data, split, offset, count)
  const teacher = at.teacher && (await predict(engine, at.teacher, at.data, split, offset, count))
  return {
    stage: at.stage,
    step: at.step,
    classes: at.data.classes,
    samples: student.map((probabilities, i) => ({
      index: offset + i,
      ...imageOf(split, offset + i),
      ...(split.labels ? { label: split.labels[offset + i] } : {}),
      ...(teacher ? { teacher: teacher[i] } : {}),
      student: probabilities,
    })),
  }
}

/** Class probabilities, a row for each sample. */
async function predict(
  executor: Executor,
  model: Model,
  data: Dataset,
  split: Split,
  offset: number,
  count: number,
): Promise<Float32Array[]> {
  const graph: Graph = withBatch(model.graph, 1)
  const program = await executor.compile(graph)
  const preprocessing = preprocessingFor(data, model)
  const loader = new Loader(split, { batch: 1, seed: 0, preprocessing, shuffle: false })
  try {
    const rows: Float32Array[] = []
    for (let i = offset; i < offset + count; i++) {
      const { x } = await loader.batchAt(i)
      const result = await program.run({ [graph.requiredInputs[0]?.name ?? '']: x })
      rows.push(probabilities(arrayOf(result[graph.outputs[0]?.name ?? ''] as Tensor) as Float32Array))
    }
    return rows
  } finally {
    await program.dispose()
  }
}
