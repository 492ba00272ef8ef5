import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { AlambicError } from '../../workers/protocol/errors.ts'
import { replaceJson, syncFolder } from '../../workers/protocol/files/durable.ts'
import { SensitivityScan } from '../../workers/protocol/files/sensitivity.ts'
import type { ModelId, ModelInfo, Origin } from '../../workers/protocol/studio.ts'
import type { Report } from '../../workers/protocol/worker.ts'
import { randomLetters } from './paths.ts'

const Plain = z.record(z.string(), z.unknown())
const Port = z.object({ name: z.string(), type: z.string() })

/** `about.json` beside a model. */
const About = z.object({
  format: z.literal(1),
  name: z.string(),
  file: z.string(),
  companions: z.array(z.string()).default([]),
  bytes: z.number(),
  added: z.string(),
  origin: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('import'), from: z.string() }),
    z.object({ kind: z.literal('run'), run: z.string(), recipe: z.string(), checkpoint: z.string().optional() }),
  ]),
  parent: z.string().optional(),
  /** Where the file is, when it was linked. */
  link: z.string().optional(),
  inspected: Plain.default({}),
  measured: Plain.optional(),
})
type About = z.output<typeof About>

const Inspected = z
  .object({
    producer: z.string().optional(),
    opsets: z.record(z.string(), z.number()).optional(),
    inputs: z.array(Port).default([]),
    outputs: z.array(Port).default([]),
    nodes: z.number().optional(),
    params: z.number().optional(),
    macs: z.number().optional(),
  })
  .catch({ inputs: [], outputs: [] })

export interface NewModel {
  readonly name: string
  readonly origin: Origin
  readonly parent?: ModelId | undefined
  /** What the worker said of it. */
  readonly inspected: Report
  readonly measured?: Report | undefined
  /** Files in the same folder that belong to it, by name. */
  readonly companions?: readonly string[]
  readonly link?: boolean
  readonly signal?: AbortSignal
}

/**
 * The models of a project, `models/<SHA-256>/`: the file under its own name, its companions, and `about.json`. The hash
 * is of the file, or of it and its companions in order. The same bytes are there once.
 */
export class ModelStore {
  readonly #folder: string

  constructor(project: string) {
    this.#folder = join(project, 'models')
  }

  list(): ModelInfo[] {
    if (!existsSync(this.#folder)) return []
    return readdirSync(this.#folder)
      .filter((name) => /^[0-9a-f]{64}$/.test(name))
      .map((id) => this.#info(id))
      .toSorted((a, b) => a.added.localeCompare(b.added))
  }

  has(id: ModelId): boolean {
    return existsSync(join(this.#folder, id, 'about.json'))
  }

  get(id: ModelId): ModelInfo {
    if (!this.has(id)) throw noModel(id)
    return this.#info(id)
  }

  /** The file of a model. */
  path(id: ModelId): string {
    const about = this.#about(id)
    if (!about) throw noModel(id)
    return about.link ?? join(this.#folder, id, about.file)
  }

  #about(id: ModelId): About | undefined {
    try {
      return About.parse(JSON.parse(readFileSync(join(this.#folder, id, 'about.json'), 'utf8')))
    } catch {
      return undefined
    }
  }

  #info(id: ModelId): ModelInfo {
    const about = this.#about(id)
    if (!about) return damaged(id)
    const { inputs, outputs, producer, opsets, nodes, params, macs } = Inspected.parse(about.inspected)
    const path = about.link ?? join(this.#folder, id, about.file)
    return {
      model: id,
      name: about.name,
      file: path,
      bytes: about.bytes,
      added: about.added,
      origin: about.origin as Origin,
      ...(about.parent === undefined ? {} : { parent: about.parent }),
      ...(producer ? { producer } : {}),
      ...(opsets?.['ai.onnx'] === undefined ? {} : { opset: opsets['ai.onnx'] }),
      inputs,
      outputs,
      ...(nodes === undefined ? {} : { nodes }),
      ...(params === undefined ? {} : { params }),
      ...(macs === undefined ? {} : { macs }),
      ...(about.measured ? { measured: about.measured } : {}),
      ...(existsSync(path) ? {} : { problem: gone(path) }),
    }
  }

  /** Takes a file in; answers what was there already when the bytes are known. */
  async add(file: string, model: NewModel): Promise<ModelInfo> {
    const temporary = join(this.#folder, `.adding-${randomLetters(8)}`)
    await mkdir(temporary, { recursive: true })
    try {
      const companions = model.companions ?? []
      const hash = createHash('sha256')
      let bytes = 0
      for (const name of [basename(file), ...companions]) {
        const from = join(file, '..', name)
        bytes += (await stat(from)).size
        await mkdir(dirname(join(temporary, name)), { recursive: true })
        await copyHashed(from, model.link ? undefined : join(temporary, name), hash, model.signal)
      }
      const id = hash.digest('hex')
      if (this.has(id)) return this.#info(id)
      const about: About = {
        format: 1,
        name: model.name,
        file: basename(file),
        companions: [...companions],
        bytes,
        added: new Date().toISOString(),
        origin: model.origin,
        ...(model.parent === undefined ? {} : { parent: model.parent }),
        ...(model.link ? { link: file } : {}),
        inspected: model.inspected,
        ...(model.measured === undefined ? {} : { measured: model.measured }),
      }
      await replaceJson(join(temporary, 'about.json'), about)
      await rm(join(this.#folder, id), { recursive: true, force: true })
      await rename(temporary, join(this.#folder, id))
      await syncFolder(this.#folder)
      return this.#info(id)
    } finally {
      await rm(temporary, { recursive: true, force: true })
    }
  }

  async rename(id: ModelId, name: string): Promise<ModelInfo> {
    return this.#change(id, { name })
  }

  async measured(id: ModelId, measured: Report): Promise<ModelInfo> {
    return this.#change(id, { measured })
  }

  /** What a scan of its layers found; undefined where there was none, or where its file is not what it should be. */
  async sensitivity(id: ModelId): Promise<SensitivityScan | undefined> {
    try {
      return SensitivityScan.parse(JSON.parse(await readFile(join(this.folder(id), 'sensitivity.json'), 'utf8')))
    } catch (thrown) {
      if (thrown instanceof AlambicError) throw thrown
      return undefined
    }
  }

  async keepSensitivity(id: ModelId, scan: SensitivityScan): Promise<void> {
    await replaceJson(join(this.folder(id), 'sensitivity.json'), scan)
  }

  async #change(id: ModelId, change: Partial<About>): Promise<ModelInfo> {
    const about = this.#about(id)
    if (!about) throw noModel(id)
    await replaceJson(join(this.#folder, id, 'about.json'), { ...about, ...change })
    return this.#info(id)
  }

  /** Links a model to where its file is now; throws `model.other` when that file has other bytes. */
  async locate(id: ModelId, file: string): Promise<ModelInfo> {
    const found = await modelId(file, this.#about(id)?.companions ?? []).catch((cause: unknown) => {
      throw new AlambicError('onnx.unreadable', 'the file, or one that belongs to it, cannot be read', {
        subject: file,
        cause,
      })
    })
    if (found !== id) {
      throw new AlambicError('model.other', 'this file is not the same model', {
        subject: file,
        expected: `SHA-256 ${id}`,
        found,
        fix: 'Choose the file with the same contents, or import this one as a new model.',
      })
    }
    return this.#change(id, { file: basename(file), link: file })
  }

  /** Where everything of a model lies. */
  folder(id: ModelId): string {
    if (!this.has(id)) throw noModel(id)
    return join(this.#folder, id)
  }

  /** Files of a model, for writing a copy elsewhere. */
  files(id: ModelId): readonly string[] {
    const about = this.#about(id)
    if (!about) throw noModel(id)
    const folder = about.link === undefined ? join(this.#folder, id) : join(about.link, '..')
    return [about.file, ...about.companions].map((name) => join(folder, name))
  }
}

/** What a project would call a model with these files. */
export async function modelId(file: string, companions: readonly string[]): Promise<ModelId> {
  const hash = createHash('sha256')
  for (const name of [basename(file), ...companions]) {
    await copyHashed(join(file, '..', name), undefined, hash, undefined)
  }
  return hash.digest('hex')
}

async function copyHashed(
  from: string,
  to: string | undefined,
  hash: ReturnType<typeof createHash>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(null, to === undefined ? undefined : chunk)
    },
  })
  const options = signal ? { signal } : {}
  if (to === undefined) {
    tap.resume()
    await pipeline(createReadStream(from), tap, options)
  } else {
    // `flush` puts the bytes on disk before the file is closed.
    await pipeline(createReadStream(from), tap, createWriteStream(to, { flags: 'wx', flush: true }), options)
  }
}

const noModel = (id: ModelId): AlambicError =>
  new AlambicError('model.unknown', 'there is no such model in this project', { subject: id })

const gone = (path: string) => ({
  code: 'model.gone',
  message: 'the file of this model is not where it was',
  subject: path,
  fix: 'Locate it where it is now, put it back, or import the model again.',
})

const damaged = (id: ModelId): ModelInfo => ({
  model: id,
  name: id.slice(0, 12),
  file: '',
  bytes: 0,
  added: '',
  origin: { kind: 'import', from: '' },
  inputs: [],
  outputs: [],
  problem: { code: 'model.damaged', message: 'the description of this model cannot be read', subject: id },
})
