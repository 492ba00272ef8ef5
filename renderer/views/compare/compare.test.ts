import { describe, expect, test } from 'vitest'
import type { ModelInfo, ModelPredictions, RunSummary } from '../../../workers/protocol/studio.ts'
import { reportHtml, reportScene } from '../../charts/report.ts'
import { svgText } from '../../charts/scene.ts'
import { fairnessOf } from './fairness.ts'
import { fieldNames, itemsOf, type Item } from './items.ts'
import { comparisonOf } from './pin.ts'
import { deltaOf, isSmallerNotFaster, measureById, type Measure, type MeasureId } from './measures.ts'
import { confusionOf, differenceOf, perClass, samplesOf, topConfusions } from './predictions.ts'
import { recipeRows } from './recipes.ts'

const conditions = {
  executor: 'ort-cpu',
  processor: 'A',
  threads: 2,
  runtime: 'r 1',
  dataHash: 'd',
  preprocessing: 'p',
}
const item = (id: string, measured: object, fields: Item['fields'] = {}): Item => ({
  id,
  title: id,
  project: 'p',
  recipe: '',
  created: '2026-01-01',
  measured: { provenance: conditions, latency: { medianMs: 8, medianInterval: [7.9, 8.1], batch: 1 }, ...measured },
  fields,
})
const measure = (id: MeasureId) => measureById.get(id) as Measure

const base = item('base', { accuracy: 0.92, accuracyError: 0.003, bytes: 1_090_000 })
const small = item('small', {
  accuracy: 0.89,
  accuracyError: 0.003,
  bytes: 94_000,
  latency: { medianMs: 2.6, medianInterval: [2.5, 2.7], batch: 1 },
})

describe('differences from the baseline', () => {
  test('are signed, and better or worse by what is wanted', () => {
    expect(deltaOf(measure('accuracy'), small, base)).toMatchObject({ kind: 'points', verdict: 'worse' })
    expect(deltaOf(measure('accuracy'), small, base)?.value).toBeCloseTo(-0.03, 9)
    const bytes = deltaOf(measure('bytes'), small, base)
    expect([bytes?.kind, bytes?.verdict, bytes?.value.toFixed(1)]).toEqual(['factor', 'better', '11.6'])
    expect(deltaOf(measure('latency'), small, base)?.verdict).toBe('better')
    expect(deltaOf(measure('macs'), small, base)).toBeUndefined()
    expect(deltaOf(measure('bytes'), base, base)?.verdict).toBe('same')
  })

  test('are unclear where chance alone may make them', () => {
    const near = item('near', {
      accuracy: 0.918,
      accuracyError: 0.003,
      bytes: 500_000,
      latency: { medianMs: 7.95, medianInterval: [7.8, 8], batch: 1 },
    })
    expect(deltaOf(measure('accuracy'), near, base)?.verdict).toBe('unclear')
    expect(deltaOf(measure('latency'), near, base)?.verdict).toBe('unclear')
    expect(isSmallerNotFaster(near, base)).toBe(true)
    expect(isSmallerNotFaster(small, base)).toBe(false)
  })
})

describe('fairness', () => {
  test('is when all conditions are the same and known', () => {
    expect(fairnessOf([base, small]).fair).toBe(true)
    expect(fairnessOf([base]).fair).toBe(false)
  })

  test.each([
    ['data', { provenance: { ...conditions, dataHash: 'other' } }, 'differs'],
    ['preprocessing', { provenance: { ...conditions, preprocessing: 'q' } }, 'differs'],
    ['device', { provenance: { ...conditions, processor: 'B' } }, 'differs'],
    ['threads', { provenance: { ...conditions, threads: 4 } }, 'differs'],
    ['runtime', { provenance: { ...conditions, runtime: undefined } }, 'unknown'],
    ['batch', { latency: { medianMs: 1, batch: 8 } }, 'differs'],
  ])('is not when %s is not the same', (id, measured, status) => {
    const { fair, conditions: found } = fairnessOf([base, item('other', measured)])
    expect(fair).toBe(false)
    expect(found.filter((one) => one.status !== 'same')).toMatchObject([{ id, status }])
  })
})

test('items are runs with their models, and the models that no run made', () => {
  const run = {
    run: 'p.a',
    project: 'p',
    title: 'A',
    state: 'succeeded',
    created: '2',
    recipe: { name: 'prune' },
    output: 'm1',
  }
  const queued = { ...run, run: 'p.b', title: 'B', created: '3', output: undefined, state: 'queued' }
  const models = [
    { model: 'm1', name: 'made', added: '2', origin: { kind: 'run' }, measured: { accuracy: 0.9 } },
    { model: 'm2', name: 'mine', added: '1', origin: { kind: 'import' }, bytes: 7 },
    { model: 'm3', name: 'gone', added: '1', origin: { kind: 'import' }, problem: {} },
  ]
  const items = itemsOf({
    runs: [run, queued] as unknown as RunSummary[],
    fields: new Map([['p.a', { run: 'p.a', fields: { seed: 1 }, best: 0.8 }]]),
    models: new Map([['p', models as unknown as ModelInfo[]]]),
    projectName: (id) => id.toUpperCase(),
  })
  expect(items.map(({ id, title, project }) => [id, title, project])).toEqual([
    ['run:p.b', 'B', 'P'],
    ['run:p.a', 'A', 'P'],
    ['model:p/m2', 'mine', 'P'],
  ])
  expect(items[1]).toMatchObject({ place: { project: 'p', model: 'm1' }, best: 0.8, measured: { accuracy: 0.9 } })
  expect(items[0]?.place).toBeUndefined()
})

test('fields that are the same everywhere can be left out', () => {
  const items = [
    item('a', {}, { seed: 1, lr: 0.1, only: true }),
    item('b', {}, { seed: 1, lr: 0.2 }),
    item('model', {}),
  ]
  expect(fieldNames(items, false)).toEqual(['lr', 'seed', 'only'])
  expect(fieldNames(items, true)).toEqual(['lr', 'only'])
  expect(
    recipeRows(items.slice(0, 2))
      .filter(({ differs }) => differs)
      .map(({ name, values }) => [name, ...values]),
  ).toEqual([
    ['lr', 0.1, 0.2],
    ['only', true, undefined],
  ])
})

describe('predictions', () => {
  const labels = Int32Array.of(0, 0, 1, 1, 2, 2)
  const said = (predictions: number[], confidences: number[]) =>
    ({
      predictions: Int32Array.from(predictions),
      confidences: Float32Array.from(confidences),
    }) as unknown as ModelPredictions
  const first = said([0, 0, 1, 1, 2, 0], [0.9, 0.8, 0.7, 0.9, 0.9, 0.6])
  const second = said([0, 1, 2, 2, 2, 2], [0.9, 0.5, 0.6, 0.8, 0.9, 0.7])

  test('samples are found by who is right, the surest first', () => {
    const of = (filter: Parameters<typeof samplesOf>[3]) =>
      samplesOf({ labels }, first, second, filter).map(({ index }) => index)
    expect(of('lost')).toEqual([3, 2, 1])
    expect(of('won')).toEqual([5])
    expect(of('disagree')).toEqual([3, 5, 2, 1])
    expect(of('bothWrong')).toEqual([])
    expect(topConfusions(samplesOf({ labels }, first, second, 'lost'), 1)).toEqual([{ label: 1, own: 2, count: 2 }])
  })

  test('confusions are counted, subtracted, and told class by class', () => {
    const before = confusionOf(labels, first.predictions, 3)
    const after = confusionOf(labels, second.predictions, 3)
    expect(before).toEqual([[2, 0, 0], [0, 2, 0], [1, 0, 1]]) // prettier-ignore
    expect(differenceOf(after, before)).toEqual([[-1, 1, 0], [0, -2, 2], [-1, 0, 1]]) // prettier-ignore
    expect(perClass(before, after)).toEqual([
      { label: 1, n: 2, base: 1, own: 0 },
      { label: 0, n: 2, base: 1, own: 0.5 },
      { label: 2, n: 2, base: 0.5, own: 1 },
    ])
  })
})

test('a report is one file with every number, and runs nothing', () => {
  const scene = { width: 100, height: 50, marks: [{ kind: 'path', d: 'M1 2L3 4', colour: 's1' }], spots: [] } as const
  const sections = [
    {
      title: 'Models <x>',
      table: {
        columns: ['model', 'Δ'],
        rows: [
          ['a & b', '▼ 0.7 pp'],
          ['c', undefined],
        ],
      },
    },
    { title: 'Drawn', note: 'n = 3', scene, table: { columns: ['k'], rows: [[1.25]] } },
  ]
  const html = reportHtml(
    sections,
    { title: 'T', lines: ['fair'], language: 'zh-CN', colour: () => '#000' },
    (section) => (section.scene ? svgText(section.scene, section.title, () => '#000') : ''),
  )
  expect(html).toContain('<td>▼ 0.7 pp</td>')
  expect(html).toContain('<h2>Models &lt;x&gt;</h2>')
  expect(html).toContain('a &amp; b')
  expect(html).toContain('<th scope="row">1.25</th>')
  expect(html).not.toMatch(/<script|href=|src="(?!data:)|url\(/)
  const whole = reportScene(sections, { title: 'T', lines: [] })
  const texts = whole.marks.flatMap((mark) => (mark.kind === 'text' ? [mark.text] : []))
  expect(texts).toEqual(expect.arrayContaining(['T', '▼ 0.7 pp', 'Drawn']))
  const path = whole.marks.find((mark) => mark.kind === 'path')
  expect(path?.kind === 'path' && path.d).toMatch(/^M25 \d+L27 \d+$/)
})

test('a model is pinned as its run, beside what it was made from', () => {
  const model = (id: string, more: object) => ({
    model: id,
    name: id,
    file: '',
    bytes: 1,
    added: '',
    inputs: [],
    outputs: [],
    origin: { kind: 'import' as const, from: '' },
    ...more,
  })
  const root = model('a', {})
  const child = model('b', { parent: 'a', origin: { kind: 'run', run: 'p.r1', recipe: 'x' } })
  const orphan = model('c', { parent: 'gone', origin: { kind: 'run', run: 'p.r2', recipe: 'x' } })
  const runs = [{ run: 'p.r1', output: 'b' }] as unknown as Parameters<typeof comparisonOf>[3]
  const of = (one: ReturnType<typeof model>) => comparisonOf('p', one, [root, child, orphan], runs)
  expect(of(child)).toEqual({ baseline: 'model:p/a', pins: ['model:p/a', 'run:p.r1'] })
  expect(of(root)).toEqual({ baseline: 'model:p/a', pins: ['model:p/a'] })
  // Its run is not listed any more, nor its parent: it stands for itself.
  expect(of(orphan)).toEqual({ baseline: 'model:p/c', pins: ['model:p/c'] })
})
