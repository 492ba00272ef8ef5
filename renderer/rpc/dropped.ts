import { desktop } from './channel.ts'

/** A file that was dropped or chosen, with its path from what was dropped. */
export interface DroppedFile {
  readonly path: string
  readonly file: File
}

/** What came: real paths where the shell knows them, else the files themselves. */
export type Dropped =
  | { readonly kind: 'paths'; readonly paths: readonly string[] }
  | { readonly kind: 'files'; readonly files: readonly DroppedFile[] }

/** More would be a whole disk, dropped by mistake. */
const MOST_FILES = 200_000

/** Reads what was dropped. Must be called in the event itself; folders are read after it. */
export function readDrop(transfer: DataTransfer): Promise<Dropped> {
  const items = [...transfer.items].filter(({ kind }) => kind === 'file')
  const paths = items.map((item) => desktop?.pathOf(item.getAsFile()) ?? '').filter((path) => path !== '')
  if (paths.length > 0 && paths.length === items.length) return Promise.resolve({ kind: 'paths', paths })
  const entries = items.map((item) => item.webkitGetAsEntry())
  if (entries.every((entry) => entry === null)) {
    const files = items.map((item) => item.getAsFile()).filter((file) => file !== null)
    return Promise.resolve({ kind: 'files', files: files.map((file) => ({ path: file.name, file })) })
  }
  return walk(entries.filter((entry) => entry !== null))
}

/** Files of a file chooser; those of a chosen folder carry their path. */
export const readChosen = (list: FileList): Dropped => ({
  kind: 'files',
  files: [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file })),
})

async function walk(entries: readonly FileSystemEntry[]): Promise<Dropped> {
  const files: DroppedFile[] = []
  const queue = [...entries]
  for (let entry = queue.pop(); entry && files.length < MOST_FILES; entry = queue.pop()) {
    if (isFile(entry)) files.push({ path: entry.fullPath.replace(/^\//, ''), file: await fileOf(entry) })
    else queue.push(...(await childrenOf(entry as FileSystemDirectoryEntry)))
  }
  return { kind: 'files', files: files.sort((a, b) => (a.path < b.path ? -1 : 1)) }
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile

const fileOf = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((resolve, reject) => entry.file(resolve, (error) => reject(new Error(error.message))))

/** A reader gives its entries in parts; an empty one is the end. */
async function childrenOf(entry: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = entry.createReader()
  const all: FileSystemEntry[] = []
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, (error) => reject(new Error(error.message))),
    )
    if (part.length === 0) return all
    all.push(...part)
  }
}
