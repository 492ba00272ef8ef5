import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { evaluationLoader, preprocessingFor, type Dataset } from '../../datasets/index.ts'
import type { Executor, Program, Tensors } from '../../executors/executor.ts'
import { asFloat32, castFloat } from '../../graph/float.ts'
import type { Model } from '../../graph/graph.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { asTensor } from '../../graph/types.ts'
import { evaluate } from '../../measure/accuracy.ts'
import { randomInputs } from '../../measure/latency.ts'
import { pairedComparison } from '../../measure/quantization/index.ts'
import { Unpacker } from '../../pack/index.ts'
import type { Tolerance, Verification } from '../../protocol/studio.ts'

export interface VerifyOptions {
  readonly model: Model
  readonly path: string
  readonly tolerance: Tolerance
  readonly data: Dataset | undefined
  readonly samples: number
  readonly threads: number | undefined
  readonly executor: Executor
}

/** Reloads an exported file and compares it with its source: outputs on some samples, accuracy on all test samples. */
export async function verifyExport(options: VerifyOptions): Promise<Verification> {
  return asRunnable(options.path, async (path) => {
    const { executorOfFile } = await import('../../executors/ort/file.ts')
    const file = executorOfFile(path)
    const outputs = await compareOutputs(options, file)
    const accuracy = await compareAccuracy(options, file)
    const split = options.data?.splits.test
    const problems = problemsOf(options.tolerance, outputs, accuracy)
    return {
      passed: problems.length === 0,
      ...outputs,
      ...(accuracy ? { accuracy } : {}),
      limit: options.tolerance,
      problems,
      runtime: file.runtime,
      ...(options.data ? { data: options.data.id } : {}),
      ...(split ? { dataHash: split.hash } : {}),
    }
  })
}

/** A container is unpacked beside the temporary files; everything else is run as it lies. */
async function asRunnable<T>(path: string, use: (path: string) => Promise<T>): Promise<T> {
  if (!path.endsWith('.cmpz')) return use(path)
  const folder = await mkdtemp(join(tmpdir(), 'alambic-verify-'))
  try {
    const unpacker = new Unpacker()
    const pieces: Uint8Array[] = []
    for await (const chunk of createReadStream(path))
      pieces.push(...[...unpacker.push(chunk as Uint8Array)].map((piece) => piece.slice()))
    unpacker.finish()
    const model = join(folder, 'model.onnx')
    await writeFile(model, Buffer.concat(pieces))
    return await use(model)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

type Outputs = Pick<Verification, 'samples' | 'inputs' | 'maxError' | 'meanError' | 'largestOutput' | 'agreement'>

async function compareOutputs(options: VerifyOptions, file: Executor): Promise<Outputs> {
  const { model, executor, threads, samples } = options
  const settings = threads === undefined ? {} : { threads }
  const programs: Program[] = []
  try {
    const source = await executor.compile(model.graph, settings)
    programs.push(source)
    const exported = await file.compile(model.graph, settings)
    programs.push(exported)
    const sums = new Differences()
    let seen = 0
    for await (const { feeds, count } of inputsOf(options)) {
      const [a, b] = [await source.run(feeds), await exported.run(feeds)]
      for (const { name } of model.graph.outputs) sums.add(a[name], b[name], count)
      seen += count
      if (seen >= samples) break
    }
    return { samples: seen, inputs: hasData(options) ? 'data' : 'random', ...sums.result() }
  } finally {
    for (const program of programs) await program.dispose()
  }
}

const hasData = ({ data, model }: Pick<VerifyOptions, 'data' | 'model'>): boolean =>
  data?.splits.test !== undefined && model.graph.requiredInputs.length === 1

/** Batches of the test split; random inputs, one at a time, for a model without data or with several inputs. */
export async function* inputsOf({
  model,
  data,
  samples,
}: Pick<VerifyOptions, 'model' | 'data' | 'samples'>): AsyncGenerator<{
  readonly feeds: Tensors
  readonly count: number
}> {
  const split = data?.splits.test
  const [input] = model.graph.requiredInputs
  const type = asTensor(input?.type)
  if (!data || !split || !hasData({ data, model })) {
    for (let i = 0; i < samples; i++) yield { feeds: randomInputs(model.graph, 1, 42 + i), count: 1 }
    return
  }
  const fixed = type?.shape?.[0]
  const batch = typeof fixed === 'number' ? fixed : Math.min(64, samples, split.count)
  const loader = evaluationLoader(split, { batch, preprocessing: preprocessingFor(data, model) })
  for (let i = 0; i < loader.stepsPerEpoch; i++) {
    const { x, indices } = await loader.batchAt(i)
    if (typeof fixed === 'number' && indices.length < fixed) return
    yield { feeds: { [input?.name ?? '']: castFloat(x, type?.dtype ?? 'f32') }, count: indices.length }
  }
}

class Differences {
  #max = 0
  #sum = 0
  #count = 0
  #largest = 0
  #same = 0
  #rows = 0

  add(expected: Tensor | undefined, found: Tensor | undefined, rows: number): void {
    if (!expected || !found) {
      this.#max = Infinity
      return
    }
    const [a, b] = [asFloat32(expected), asFloat32(found)]
    if (a.length !== b.length) this.#max = Infinity
    a.forEach((value, i) => {
      const error = Math.abs(value - (b[i] ?? NaN))
      // A number that is not finite where the source's is: as wrong as can be.
      this.#max = Math.max(this.#max, Number.isNaN(error) && !Number.isNaN(value) ? Infinity : error || 0)
      this.#sum += error || 0
      this.#largest = Math.max(this.#largest, Math.abs(value))
    })
    this.#count += a.length
    if (expected.dims.length === 2 && expected.dims[0] === rows) this.#compareRows(a, b, rows)
  }

  #compareRows(a: Float32Array, b: Float32Array, rows: number): void {
    const width = a.length / rows
    for (let row = 0; row < rows; row++) {
      const best = (values: Float32Array) => {
        const own = values.subarray(row * width, (row + 1) * width)
        return own.indexOf(own.reduce((most, value) => Math.max(most, value), -Infinity))
      }
      this.#same += best(a) === best(b) ? 1 : 0
      this.#rows++
    }
  }

  result(): Pick<Verification, 'maxError' | 'meanError' | 'largestOutput' | 'agreement'> {
    return {
      maxError: this.#max,
      meanError: this.#count === 0 ? 0 : this.#sum / this.#count,
      largestOutput: this.#largest,
      ...(this.#rows > 0 ? { agreement: this.#same / this.#rows } : {}),
    }
  }
}

async function compareAccuracy(
  { model, data, executor, threads }: VerifyOptions,
  file: Executor,
): Promise<Verification['accuracy']> {
  const split = data?.splits.test
  if (!data || !split?.labels || !hasData({ data, model })) return undefined
  const preprocessing = preprocessingFor(data, model)
  const source = await evaluate(model.graph, split, preprocessing, { executor, threads })
  const exported = await evaluate(model.graph, split, preprocessing, { executor: file, threads })
  const { drop, interval } = pairedComparison(source, exported, split.labels)
  return { source: source.accuracy, exported: exported.accuracy, n: source.n, drop, interval }
}

function problemsOf(
  { relative, agreement }: Tolerance,
  outputs: Outputs,
  accuracy: Verification['accuracy'],
): string[] {
  const problems: string[] = []
  const { maxError, largestOutput, agreement: agreed } = outputs
  if (relative !== undefined && !(maxError <= relative * Math.max(largestOutput, 1e-6))) {
    problems.push(
      `outputs differ by up to ${maxError.toPrecision(3)}; ${(relative * largestOutput).toPrecision(3)} is allowed`,
    )
  }
  if (agreement === undefined) return problems
  if (agreed !== undefined && agreed < agreement) {
    problems.push(
      `only ${(100 * agreed).toFixed(1)} % of the answers are the source's; ${100 * agreement} % is the least`,
    )
  }
  if (accuracy && accuracy.drop > 1 - agreement) {
    problems.push(`accuracy fell by ${(100 * accuracy.drop).toFixed(2)} pp`)
  }
  return problems
}
