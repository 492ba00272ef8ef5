import { open, readdir, stat } from 'node:fs/promises'
import { basename, extname, join, relative, sep } from 'node:path'
import { asAlambicError } from '../../workers/protocol/errors.ts'
import type { Found, ScanReport } from '../../workers/protocol/studio.ts'
import type { CallName, Report, WireError } from '../../workers/protocol/worker.ts'
import { folderBytes } from './folders.ts'
import type { Job } from './jobs.ts'

/** What a scan remembers of something found, beside what it tells. */
export interface Candidate {
  readonly found: Found
  readonly path: string
}

export interface Scan {
  readonly report: ScanReport
  readonly candidates: ReadonlyMap<string, Candidate>
}

interface Scanner {
  readonly job: Job
  readonly ask: (name: CallName, request: object) => Promise<Report>
  readonly candidates: Map<string, Candidate>
  readonly ignored: string[]
  seen: number
}

/** Most files that one drop may hold. */
const MOST = 200_000
const image = /\.(?:png|jpe?g|bmp|webp|gif|tiff?)$/i
const labels = /^(?:labels?|classes|synset\w*)\.(?:txt|json|csv)$/i
/** Names that make a folder one data set. */
const dataNames =
  /(?:-idx[123]-ubyte(?:\.gz)?|^data_batch_1\.(?:bin|png)|^(?:x|inputs|train|test)\w*\.np[yz]|^(?:train|test)\w*\.csv)$/i
const dataFiles = new Set(['.npz', '.npy', '.csv', '.alambic-data'])

/** Looks through what was dropped; what is found so far is the answer when it is cancelled. */
export async function scan(id: string, roots: readonly string[], job: Job, ask: Scanner['ask']): Promise<Scan> {
  const scanner: Scanner = { job, ask, candidates: new Map(), ignored: [], seen: 0 }
  let cancelled = false
  try {
    for (const root of roots) await visit(scanner, root, root)
  } catch (error) {
    if (!job.signal.aborted) throw error
    cancelled = true
  }
  const report: ScanReport = {
    scan: id,
    found: [...scanner.candidates.values()].map(({ found }) => found),
    ignored: { count: scanner.ignored.length, names: scanner.ignored.slice(0, 20) },
    cancelled,
  }
  return { report, candidates: scanner.candidates }
}

async function visit(scanner: Scanner, root: string, path: string): Promise<void> {
  scanner.job.signal.throwIfAborted()
  const found = await stat(path)
  scanner.job.progress('scan', ++scanner.seen, 0, 'files')
  if (found.isDirectory()) return visitFolder(scanner, root, path)
  if (!found.isFile()) return
  const kind = await kindOf(path)
  if (kind) await add(scanner, root, path, kind, found.size)
  else scanner.ignored.push(nameFrom(root, path))
}

async function visitFolder(scanner: Scanner, root: string, path: string): Promise<void> {
  const entries = (await readdir(path, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'))
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  const isData = files.some((name) => dataNames.test(name)) || (await isImageFolder(path, folders))
  if (isData) {
    await add(scanner, root, path, 'dataset', await folderBytes(path))
    for (const name of files) if (/\.(?:onnx|ya?ml)$/i.test(name)) await visit(scanner, root, join(path, name))
    return
  }
  if (scanner.seen + entries.length > MOST) return
  for (const { name } of entries.filter((entry) => entry.isFile() || entry.isDirectory())) {
    await visit(scanner, root, join(path, name))
  }
}

/** At least one folder with images, below this one or below `train` and `test` in it. */
async function isImageFolder(path: string, folders: readonly string[]): Promise<boolean> {
  for (const name of folders) {
    const inner = await readdir(join(path, name), { withFileTypes: true }).catch(() => [])
    if (inner.some((entry) => entry.isFile() && image.test(entry.name))) return true
    if (!/^(?:train|test|val|valid|validation)$/i.test(name)) continue
    for (const entry of inner.filter((one) => one.isDirectory()).slice(0, 20)) {
      const images = await readdir(join(path, name, entry.name)).catch(() => [])
      if (images.some((file) => image.test(file))) return true
    }
  }
  return false
}

async function kindOf(path: string): Promise<'model' | 'dataset' | 'recipe' | undefined> {
  const extension = extname(path).toLowerCase()
  if (extension === '.onnx') return 'model'
  if (dataFiles.has(extension) || dataNames.test(basename(path))) return 'dataset'
  if (extension !== '.yaml' && extension !== '.yml') return undefined
  const handle = await open(path)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(65_536), 0, 65_536, 0)
    return /^alambic\s*:/m.test(buffer.toString('utf8', 0, bytesRead)) ? 'recipe' : undefined
  } finally {
    await handle.close()
  }
}

const nameFrom = (root: string, path: string): string =>
  (root === path ? basename(path) : join(basename(root), relative(root, path))).split(sep).join('/')

type Description = Pick<Found, 'format' | 'details'> & Partial<Pick<Found, 'companions' | 'missing' | 'problem'>>

async function add(
  scanner: Scanner,
  root: string,
  path: string,
  kind: 'model' | 'dataset' | 'recipe',
  bytes: number,
): Promise<void> {
  const plain = nameFrom(root, path)
  let name = plain
  for (let n = 2; scanner.candidates.has(name); n++) name = `${plain} (${n})`
  const described = await describers[kind](scanner, path).catch((thrown: unknown): Description => {
    scanner.job.signal.throwIfAborted()
    const problem = asAlambicError(thrown).toJSON() as unknown as WireError
    return { format: formats[kind], details: {}, problem, missing: missingFrom(problem) }
  })
  const found: Found = {
    id: name,
    kind,
    name: basename(path).replace(/\.(?:onnx|ya?ml|np[yz]|csv)$/i, ''),
    path: name,
    bytes,
    companions: [],
    missing: [],
    ...described,
  }
  scanner.candidates.set(name, { found, path })
}

const formats = { model: 'ONNX', dataset: 'data', recipe: 'recipe' } as const

/** An external file that a model names and that is not there. */
function missingFrom({ code, message }: WireError): string[] {
  if (code !== 'onnx.external-missing') return []
  const name = /["“]([^"”]+)["”]/.exec(message)?.[1]
  return name === undefined ? [] : [name]
}

const describers = {
  async model({ ask }: Scanner, path: string): Promise<Description> {
    const report = await ask('inspect', { model: path })
    const { opsets, externalFiles } = report as { opsets?: Record<string, number>; externalFiles?: string[] }
    const beside = await readdir(join(path, '..')).catch(() => [])
    return {
      format: `ONNX, opset ${opsets?.['ai.onnx'] ?? '?'}`,
      details: report,
      companions: [...(externalFiles ?? []), ...beside.filter((file) => labels.test(file))],
    }
  },
  async dataset({ ask }: Scanner, path: string): Promise<Description> {
    const report = await ask('describe', { data: path })
    const { kind, classes } = report as { kind?: string; classes?: string[] }
    const what = kind === 'images' ? 'images' : 'tensors'
    return { format: classes ? `${what}, ${classes.length} classes` : what, details: report }
  },
  async recipe({ ask }: Scanner, path: string): Promise<Description> {
    const report = await ask('plan', { recipe: path })
    const { stages } = report as { stages?: unknown[] }
    const count = stages?.length ?? 0
    return { format: `recipe, ${count} ${count === 1 ? 'step' : 'steps'}`, details: report }
  },
} satisfies Record<string, (scanner: Scanner, path: string) => Promise<Description>>
