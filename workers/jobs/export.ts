import { mkdir, readdir, stat } from 'node:fs/promises'
import { cpus } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { z } from 'zod'
import { openDataset, PREPROCESSING, preprocessingFor, type Dataset } from '../datasets/index.ts'
import type { Tensors } from '../executors/executor.ts'
import type { Model } from '../graph/graph.ts'
import { openDims } from '../measure/assess.ts'
import { latencyOf } from '../measure/latency.ts'
import { costOf } from '../ops/cost.ts'
import { AlambicError } from '../protocol/errors.ts'
import { replaceFile } from '../protocol/files/durable.ts'
import type { ExportReport, Verification } from '../protocol/studio.ts'
import type { ExportRequest, Report } from '../protocol/worker.ts'
import { openForRecipe } from '../recipes/open.ts'
import type { CallEnvironment } from './calls.ts'
import { onDisk } from './compare.ts'
import { cardLanguages, modelCard, type CardFacts } from './export/card.ts'
import { sampleCode, sampleTypes, type SampleTensor } from './export/code.ts'
import { formats, type Source } from './export/formats.ts'
import { inputsOf, verifyExport } from './export/verify.ts'
import { inspectModel } from './inspect.ts'
import { hashOf } from './measure-stage.ts'

type Request = z.output<typeof ExportRequest>

/** The model inside an exported folder. */
const MODEL = 'model.onnx'

/**
 * Exports a model: writes the file, reads it back, compares it with its source, and leaves the result beside it with
 * a checksum and model cards. A file that does not keep what its format promises stays, and the report says so.
 */
export async function exportCall(request: Request, environment: CallEnvironment): Promise<Report> {
  const data = request.data === undefined ? undefined : await openDataset(request.data)
  return onDisk(request.model, async (path) => {
    const executor = await environment.executor()
    const source: Source = {
      path,
      model: await openForRecipe(path, request.seed),
      data,
      executor,
      threads: request.threads,
      seed: request.seed,
      onProgress: (progress) => environment.listener.progress(progress),
      stopping: environment.stopping,
    }
    return (await new Export(request, source, environment).run()) as unknown as Report
  })
}

class Export {
  readonly #request: Request
  readonly #source: Source
  readonly #environment: CallEnvironment

  constructor(request: Request, source: Source, environment: CallEnvironment) {
    this.#request = request
    this.#source = source
    this.#environment = environment
  }

  async run(): Promise<ExportReport> {
    const { format, output, samples } = this.#request
    const { write, tolerance } = formats[format]
    const isFolder = format === 'folder'
    await this.#prepare(isFolder)
    const path = isFolder ? join(output, MODEL) : output
    this.#tell('write', 0)
    const notes = await write(this.#source, path)
    this.#tell('verify', 1)
    const { model, data, threads, executor } = this.#source
    const verification = await verifyExport({ model, path, tolerance, data, samples, threads, executor })
    const facts = await this.#facts(path, verification)
    const files = [path, ...(await this.#beside(path, facts, notes))]
    if (isFolder) files.push(...(await this.#code(verification)))
    const { bytes, sha256, latency } = facts
    return { format, output, bytes, sha256, files, notes, verification, ...(latency ? { latency } : {}) }
  }

  #tell(activity: string, done: number): void {
    this.#environment.listener.progress({ activity, done, total: 2, elapsed: 0, values: {} })
  }

  async #prepare(isFolder: boolean): Promise<void> {
    const { output } = this.#request
    await mkdir(isFolder ? output : dirname(output), { recursive: true })
    if (!isFolder || (await readdir(output)).length === 0) return
    throw new AlambicError('export.exists', `there is something in "${output}" already`, {
      subject: output,
      expected: 'a new or an empty folder',
      fix: 'Choose another folder.',
    })
  }

  async #facts(path: string, verification: Verification): Promise<CardFacts> {
    const { model, data, threads } = this.#source
    const { format, origin } = this.#request
    const { params, macs } = costOf(model.graph, openDims(model.graph))
    const { inputs, outputs } = inspectModel(model) as Record<'inputs' | 'outputs', { name: string; type: string }[]>
    const { executorOfFile } = await import('../executors/ort/file.ts')
    const timed = path.endsWith('.cmpz')
      ? undefined
      : await latencyOf(executorOfFile(path), model.graph, { batch: 1, runs: 30, threads: threads ?? cpus().length })
    return {
      name: this.#request.name ?? basename(this.#request.model, '.onnx'),
      format,
      file: basename(path),
      bytes: (await stat(path)).size,
      sha256: await hashOf(path),
      params,
      macs,
      opset: model.graph.opset,
      inputs: inputs.map(({ name, type }) => `${name}: ${type}`),
      outputs: outputs.map(({ name, type }) => `${name}: ${type}`),
      preprocessing: preprocessingOf(model, data),
      classes: data?.classes,
      origin,
      latency: timed,
      processor: cpus()[0]?.model.trim() ?? '',
      verification,
      date: new Date().toISOString().slice(0, 10),
    }
  }

  /** Checksum as `sha256sum -c` reads it, verification, and the cards. */
  async #beside(path: string, facts: CardFacts, notes: readonly string[]): Promise<string[]> {
    const texts: Record<string, string> = {
      [`${path}.sha256`]: `${facts.sha256}  ${basename(path)}\n`,
      [`${path}.verify.json`]: `${JSON.stringify({ ...facts.verification, file: facts.file, sha256: facts.sha256, notes }, null, 2)}\n`,
    }
    for (const language of cardLanguages) texts[`${path}.card.${language}.md`] = modelCard(facts, language)
    return writeAll(texts)
  }

  /** Programs in four languages with a sample and what the exported file itself says of it. */
  async #code(verification: Verification): Promise<string[]> {
    const { output } = this.#request
    const { model, data } = this.#source
    const { openOrtFile } = await import('../executors/ort/file.ts')
    const program = await openOrtFile(join(output, MODEL))
    try {
      for await (const { feeds } of inputsOf({ model, data, samples: 1 })) {
        const results = await program.run(feeds)
        const inputs = await tensorFiles(output, 'input', feeds)
        const outputs = await tensorFiles(output, 'output', results)
        const tolerance = Math.max(1e-3, 1e-3 * verification.largestOutput)
        const version = /[\d.]+$/.exec(this.#source.executor.runtime)?.[0] ?? '1'
        const texts = sampleCode({ model: MODEL, inputs: inputs.facts, outputs: outputs.facts, tolerance }, version)
        const paths = Object.fromEntries(Object.entries(texts).map(([name, text]) => [join(output, name), text]))
        return [...inputs.files, ...outputs.files, ...(await writeAll(paths))]
      }
      return []
    } finally {
      await program.dispose()
    }
  }
}

/** What the file says, else what suits the data. */
function preprocessingOf(model: Model, data: Dataset | undefined): CardFacts['preprocessing'] {
  if (data) return preprocessingFor(data, model)
  const text = model.metadata.get(PREPROCESSING)
  return text === undefined ? undefined : (JSON.parse(text) as CardFacts['preprocessing'])
}

async function writeAll(texts: Readonly<Record<string, string>>): Promise<string[]> {
  for (const [path, text] of Object.entries(texts)) {
    await mkdir(dirname(path), { recursive: true })
    await replaceFile(path, Buffer.from(text))
  }
  return Object.keys(texts)
}

async function tensorFiles(folder: string, kind: string, tensors: Tensors) {
  const facts: SampleTensor[] = []
  const files: string[] = []
  await mkdir(join(folder, 'sample'), { recursive: true })
  for (const [i, [name, tensor]] of Object.entries(tensors).entries()) {
    const type = sampleTypes[tensor.dtype]
    if (type === undefined) {
      throw new AlambicError('export.sample-type', `sample code has no way to pass "${name}"`, {
        subject: name,
        expected: Object.keys(sampleTypes).join(', '),
        found: tensor.dtype,
        fix: 'Export it as ONNX without sample code.',
      })
    }
    const file = `sample/${kind}-${i}.bin`
    await replaceFile(join(folder, file), tensor.bytes)
    facts.push({ name, type, dims: tensor.dims, file })
    files.push(join(folder, file))
  }
  return { facts, files }
}
