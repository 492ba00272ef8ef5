import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { hashSeed } from '../graph/random.ts'

/** Bytes at each end of a file that the detector of file types reads, how far it looks for them, and its padding. */
const END = 1024
const REACH = 4096
const PADDING = 256

const isSpace = (byte: number | undefined): boolean => byte !== undefined && (byte === 32 || (byte >= 9 && byte <= 13))

/** A file as magika's standard_v3_3 takes it: its first and its last 1024 bytes without white space around, i32 `[2048]`. */
export function windowOf(bytes: Uint8Array): Int32Array {
  const [head, tail] = [bytes.subarray(0, REACH), bytes.subarray(Math.max(0, bytes.length - REACH))]
  let [from, to] = [0, tail.length]
  while (isSpace(head[from])) from++
  while (isSpace(tail[to - 1])) to--
  const end = tail.subarray(Math.max(0, to - END), to)
  const window = new Int32Array(2 * END).fill(PADDING)
  window.set(head.subarray(from, from + END))
  window.set(end, 2 * END - end.length)
  return window
}

export interface Windows {
  readonly dims: readonly [number, number]
  readonly data: Int32Array
}

/** A file under a root: where it lies, and its name from there. */
interface Found {
  readonly name: string
  readonly path: string
}

/** Files under some folders as windows, at most so many of each extension, in an order that only their names decide. */
export function fileWindows(roots: readonly string[], perExtension: number): Windows {
  const byExtension = new Map<string, Found[]>()
  for (const root of roots) {
    for (const file of globSync('**/*.*', { cwd: root }).toSorted()) {
      const extension = /\.([a-z]\w{0,5})$/i.exec(file)?.[1]?.toLowerCase()
      if (extension === undefined) continue
      const known = byExtension.get(extension) ?? []
      byExtension.set(extension, known)
      known.push({ name: file, path: join(root, file) })
    }
  }
  const files = [...byExtension.values()].flatMap((all) => shuffled(all).filter(isUsable).slice(0, perExtension))
  const windows = shuffled(files).map(({ path }) => windowOf(readFileSync(path)))
  const data = new Int32Array(windows.length * 2 * END)
  windows.forEach((window, i) => data.set(window, i * 2 * END))
  return { dims: [windows.length, 2 * END], data }
}

const shuffled = (files: readonly Found[]): Found[] =>
  files
    .map((file) => [hashSeed(file.name), file] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, file]) => file)

function isUsable({ path }: Found): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return found !== undefined && found.isFile() && found.size >= 16 && found.size < 5e6
}
