import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { cellTopic, readCells, spreadOf } from './cells.ts'
import { benchOptions } from './options.ts'
import { benchmarkQuantized } from './quantized.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'alambic-cells-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
  vi.restoreAllMocks()
})

const printed = () => {
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation((line: string = '') => void lines.push(line))
  return lines
}

describe('cells of a benchmark', () => {
  it('writes mean and sample deviation in the unit of the column', () => {
    expect(spreadOf([0.5, 0.52, 0.54])).toBe('52.00 ± 2.00')
    expect(spreadOf([40.6, 41.0], '1×')).toBe('40.8 ± 0.3×')
    expect(spreadOf([3], 0)).toBe('3')
  })

  it('puts cells of several processes together, one of a method and seed that were made twice', async () => {
    const topic = cellTopic({
      name: 'squares',
      methods: ['one', 'two'],
      seeds: [1, 2],
      sizes: { epochs: 3 },
      columns: [{ title: 'value', of: 'value', as: 0 }],
      make: (method, { seed, sizes }) => Promise.resolve({ value: (method === 'one' ? 1 : 10) * seed * sizes.epochs }),
    })
    const lines = printed()
    const only = (method: string, seed: string, ...words: string[]) =>
      topic(benchOptions([...words, '--only', method, '--seed', seed, '--out', join(folder, `${method}-${seed}.json`)]))
    await only('one', '1')
    await only('one', '3')
    await only('two', '2', 'epochs=5')
    await only('two', '2', 'epochs=5')
    expect(readCells(folder).map(({ method, seed, values }) => [method, seed, values['value']])).toEqual([
      ['one', 1, 3],
      ['one', 3, 9],
      ['two', 2, 100],
    ])
    lines.length = 0
    await topic(benchOptions(['--merge', folder]))
    expect(lines.filter((line) => line.startsWith('|')).slice(2)).toEqual([
      expect.stringMatching(/^\| one \| 1, 3 \| 6 ± 4 \|/),
      expect.stringMatching(/^\| two \| 2 \| 100 \|/),
    ])
    expect(lines).toContain('epochs 3')
    expect(lines).toContain('epochs 5')
  })

  it('refuses a method that the table has not', async () => {
    await expect(Promise.resolve(benchmarkQuantized(benchOptions(['--only', 'lenet-6'])))).rejects.toThrow('lenet-6')
  })

  it('trains a base once for all cells that are kept in one folder', async () => {
    printed()
    const cell = (method: string) =>
      benchmarkQuantized(
        benchOptions([
          ...['--only', `lenet-5/${method}`, '--seed', '1', '--threads', '1', '--runs', join(folder, 'runs')],
          ...['--out', join(folder, `${method}.json`), 'lenetEpochs=1', 'limit=512'],
        ]),
      )
    await cell('float')
    await cell('int8')
    const [float, int8] = readCells(folder)
    expect(float?.values['before']).toBeGreaterThan(0.3)
    expect(int8?.values['before']).toBe(float?.values['before'])
    expect(Math.abs(int8?.values['change'] ?? NaN)).toBeLessThan(0.02)
    expect(int8?.values['bytes']).toBeLessThan(0.3)
  }, 60_000)
})
