import { expect, test } from 'vitest'
import { PruneReport } from '../../../../workers/protocol/files/methods.ts'
import type { RunDetail } from '../../../../workers/protocol/studio.ts'
import { costRows, costsAround } from './costs.ts'
import { parseReport } from './parse.ts'
import { eventsOf } from './place.ts'
import { groupFacts, scanOf } from './prune/facts.ts'
import { searchOf } from './quantize/facts.ts'
import { fallbackScene } from './quantize/fallback.ts'

const stage = (medianMs: number, accuracy: number) => ({
  step: 'x',
  sha256: '0',
  params: 1000 * medianMs,
  bytes: 4000 * medianMs,
  medianMs,
  minMs: medianMs,
  accuracy,
  accuracyError: 0.01,
})
const detail = (more: object) =>
  ({ stages: [{ id: 'prune' }, { id: 'quantize' }], reports: [], ...more }) as unknown as RunDetail

test('what a step cost is the stage before it and its own, the last one that of the result', () => {
  const found = detail({
    input: stage(4, 0.9),
    reports: [
      { id: 'prune', report: {}, stage: stage(2, 0.89) },
      { id: 'quantize', report: { latency: { float: { medianMs: 5 }, quantized: { medianMs: 6 } } } },
    ],
    result: { params: 900, bytes: 100, latency: { medianMs: 1 }, accuracy: 0.7, accuracyError: 0.01 },
  })
  const { before, after } = costsAround(found, 0)
  expect(costRows(before, after).map(({ id, change, verdict }) => [id, change, verdict])).toEqual([
    ['params', -0.5, 'better'],
    ['bytes', -0.5, 'better'],
    ['latency', -0.5, 'better'],
    ['accuracy', expect.closeTo(-0.01, 9), 'unclear'],
  ])
  // Both models timed in turn count more than stages that were timed at different moments.
  const second = costsAround(found, 1)
  expect(costRows(second.before, second.after).map(({ id, verdict }) => [id, verdict])).toEqual([
    ['params', 'better'],
    ['bytes', 'better'],
    ['latency', 'worse'],
    ['accuracy', 'worse'],
  ])
  expect(costsAround(detail({}), 0)).toEqual({})
})

const event = (seq: number, kind: string, data: object = {}) => ({ seq, time: '', kind, data: { ...data } })

test('events belong to the step that was at hand, also after a resume', () => {
  const events = ['state', 'step-started', 'pruned', 'interrupted', 'step-started', 'pruned', 'step-finished']
    .concat(['step-started', 'fallback'])
    .map((kind, i) => event(i, kind))
  expect(eventsOf(events, 0).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6])
  expect(eventsOf(events, 1).map(({ kind }) => kind)).toEqual(['step-started', 'fallback'])
  expect(eventsOf(events, 2)).toEqual([])
})

test('a report that does not fit says where', () => {
  expect(parseReport(PruneReport, undefined)).toEqual({ kind: 'none' })
  expect(parseReport(PruneReport, { rounds: [{ ratio: 'half' }] })).toMatchObject({
    kind: 'bad',
    where: expect.stringMatching(/^rounds\.0\.ratio: /) as string,
  })
  expect(parseReport(PruneReport, {})).toEqual({ kind: 'ok', value: { rounds: [] } })
})

test('while pruning goes, groups and the scan come from the journal', () => {
  const groups = (after: number) => [{ group: 0, name: 'conv1', before: 2 * after, after }]
  const events = [
    event(1, 'sensitivity', { group: 0, name: 'conv1', ratio: 0.5, accuracy: 0.8, baseline: 0.9 }),
    event(2, 'pruned', { round: 1, groups: groups(8) }),
    event(3, 'pruned', { round: 2, groups: groups(4) }),
  ]
  expect(groupFacts(undefined, events)).toEqual([{ name: 'conv1', before: 16, after: 4, unscored: false }])
  expect(scanOf(undefined, events)).toEqual({
    baseline: 0.9,
    rows: [{ group: 0, name: 'conv1', ratio: 0.5, accuracy: 0.8 }],
  })
})

test('the fallback search is what the journal told of it, with the line to be met', () => {
  const attempt = (float: string[], accuracy: number, met: boolean) => ({
    float,
    accuracy,
    drop: 0.9 - accuracy,
    interval: [0, 0.1],
    met,
  })
  const events = [
    event(1, 'fallback', { ...attempt([], 0.8, false), maxDrop: 0.01, layers: 4 }),
    event(2, 'fallback', { ...attempt(['conv1'], 0.895, true), maxDrop: 0.01, layers: 4 }),
  ]
  const search = searchOf(undefined, events)
  expect(search).toMatchObject({ maxDrop: 0.01, baseline: expect.closeTo(0.9, 9) as number, met: undefined })
  const points = (search?.attempts ?? []).map(({ float, accuracy, interval, met }, i) => ({
    float: float.length,
    accuracy,
    interval,
    met,
    last: i === 1,
  }))
  const scene = fallbackScene(
    {
      points,
      target: { value: 0.89, label: 'target' },
      xName: 'layers',
      yName: 'accuracy',
      showX: String,
      showY: String,
      describe: ({ float }) => String(float),
    },
    600,
    240,
  )
  expect(scene.spots.map(({ label }) => label)).toEqual(['0', '1'])
  const [missed, met] = scene.spots
  const line = scene.marks.find((mark) => mark.kind === 'line' && mark.dash !== undefined)
  // What keeps the accuracy is above the line, what does not below it.
  expect(missed?.y).toBeGreaterThan(line?.kind === 'line' ? line.y1 : NaN)
  expect(met?.y).toBeLessThan(line?.kind === 'line' ? line.y1 : NaN)
})
