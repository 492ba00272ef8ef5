import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { replaceFile } from './durable.ts'

const folder = mkdtempSync(join(tmpdir(), 'alambic-durable-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('replacements of one file at a time end with the last, and leave nothing behind', async () => {
  const path = join(folder, 'a.json')
  await Promise.all(Array.from({ length: 50 }, (_, i) => replaceFile(path, String(i))))
  expect(readFileSync(path, 'utf8')).toBe('49')
  expect(readdirSync(folder)).toEqual(['a.json'])
})

test('a replacement that fails does not stop the next', async () => {
  const path = join(folder, 'gone', 'b.json')
  await expect(replaceFile(path, '1')).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(replaceFile(path, '2')).rejects.toMatchObject({ code: 'ENOENT' })
})
