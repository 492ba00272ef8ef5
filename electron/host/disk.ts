import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Bytes of the disk that a path is on (or will be); `free` is what this person may still write. */
export async function diskSpace(path: string): Promise<{ readonly total: number; readonly free: number }> {
  try {
    const { bsize, blocks, bavail } = await statfs(path)
    return { total: bsize * blocks, free: bsize * bavail }
  } catch (error) {
    const parent = dirname(path)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) return { total: 0, free: Infinity }
    return diskSpace(parent)
  }
}

export const freeBytes = async (path: string): Promise<number> => (await diskSpace(path)).free
