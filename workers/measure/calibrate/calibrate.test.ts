import { describe, expect, test } from 'vitest'
import { ortCpu } from '../../executors/ort/executor.ts'
import { inferTypes } from '../../ops/infer.ts'
import { parse } from '../../graph/parse.ts'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { f32 } from '../../graph/tensor.ts'
import { calibrate, calibrationBatch, Histogram, type CalibrationBatch, type CalibrationMethod } from './index.ts'
import { entropyRange, leastSquaresRange, percentileRange } from './thresholds.ts'

/** N(0, 1) and one element far out: what calibration is for. */
function withOutlier(bins: number) {
  const random = mulberry32(42)
  const values = Float32Array.from({ length: 100_000 }, () => gaussian(random))
  values[0] = 25
  const observed = { min: values.reduce((a, b) => Math.min(a, b)), max: 25 }
  const histogram = new Histogram(25, bins)
  histogram.add(values)
  return { histogram, observed, values }
}

describe('thresholds', () => {
  test('entropy with 2048 bins leaves the outlier out; with as many bins as groups it is min-max', () => {
    const many = withOutlier(2048)
    const { min, max } = entropyRange(many.histogram, many.observed, 128)
    expect(min).toBe(many.observed.min)
    expect(max).toBeGreaterThan(4.3)
    expect(max).toBeLessThan(5.2)
    const few = withOutlier(128)
    expect(entropyRange(few.histogram, few.observed, 128)).toEqual(few.observed)
    const finer = withOutlier(8001)
    expect(entropyRange(finer.histogram, finer.observed, 255).max).toBeLessThan(4.3)
  })

  test('a percentile cuts what lies beyond it', () => {
    const { histogram, observed, values } = withOutlier(2048)
    const sorted = values.map(Math.abs).toSorted()
    for (const percentile of [99, 99.9, 99.99]) {
      const { max } = percentileRange(histogram, observed, percentile, true)
      const exact = sorted[Math.floor((percentile / 100) * sorted.length)] as number
      expect(Math.abs(max - exact)).toBeLessThan(1.5 * histogram.width)
    }
    expect(percentileRange(histogram, observed, 100, true)).toEqual(observed)
    expect(percentileRange(histogram, observed, 99.99, false).max).toBeLessThan(4.5)
  })

  test('least squares clips less for more bits, and never loses to min-max', () => {
    const { histogram, observed, values } = withOutlier(8192)
    const options = { symmetric: true }
    const four = leastSquaresRange(histogram, observed, 'i4', options)
    const eight = leastSquaresRange(histogram, observed, 'i8', options)
    expect(four.max).toBeLessThan(4)
    expect(four.max).toBeLessThan(eight.max)
    const error = (limit: number) => {
      const scale = (2 * limit) / 254
      return values.reduce((sum, v) => {
        const x = scale * Math.min(127, Math.max(-127, Math.round(v / scale)))
        return sum + (x - v) ** 2
      }, 0)
    }
    expect(error(eight.max)).toBeLessThan(error(25))
  })

  test('values beyond the limit count in the last bin, zeros of a dead value in the middle', () => {
    const histogram = new Histogram(1, 4)
    histogram.add(Float32Array.of(-2, -1, -0.1, 0, 0.6, 1, 2))
    expect([...histogram.counts]).toEqual([2, 1, 1, 3])
    const dead = new Histogram(0, 4)
    dead.add(new Float32Array(3))
    expect([...dead.counts]).toEqual([0, 0, 3, 0])
  })
})

const graph = inferTypes(
  parse(`graph (x: f32[N,3]) -> (y) opset 18 {
  const w: f32[3,2] = [1, 0, 0, 1, 0, -1]
  h = MatMul(x, w)
  y = Relu(h)
}`),
)

const batches = (...rows: readonly (readonly number[])[]) =>
  async function* (): AsyncGenerator<CalibrationBatch> {
    for (const [i, row] of rows.entries()) yield { feeds: { x: f32(row, [row.length / 3, 3]) }, first: 2 * i }
  }

describe('calibration', () => {
  const data = batches([1, 2, 3, -1, -2, -3], [0.5, 4, 0, 0, 0, 8])
  const run = (method: CalibrationMethod, more = {}) =>
    calibrate(ortCpu, graph, ['x', 'h', 'y'], data, { method, ...more })

  test('min-max over all batches', async () => {
    const { ranges, batches: count } = await run('min-max')
    expect(count).toBe(2)
    expect(ranges.get('x')).toMatchObject({ min: -3, max: 8 })
    expect(ranges.get('h')).toMatchObject({ min: -8, max: 4 })
    expect(ranges.get('y')).toMatchObject({ min: 0, max: 4 })
  })

  test('a moving average moves by a hundredth', async () => {
    const { ranges } = await run('moving-average')
    expect(ranges.get('x')?.max).toBeCloseTo(3 + 0.01 * 5, 12)
    expect(ranges.get('x')?.min).toBeCloseTo(-3 + 0.01 * 3, 12)
  })

  test('histograms count every element once, in as many groups as the memory asks for', async () => {
    for (const memory of [2 ** 20, 30]) {
      const { ranges } = await run('percentile', { percentile: 100, memory, bins: 64 })
      expect(ranges.get('x')?.histogram?.total()).toBe(12)
      expect(ranges.get('y')?.histogram?.total()).toBe(8)
      expect(ranges.get('h')).toMatchObject({ min: -8, max: 4 })
    }
  })

  test('names the node and the sample of a value that is not finite', async () => {
    const broken = batches([1, 2, 3], [1, 2, 3, 1, Infinity, 3])
    await expect(calibrate(ortCpu, graph, ['h', 'y'], broken, { method: 'min-max' })).rejects.toMatchObject({
      code: 'calibrate.not-finite',
      subject: 'h',
      message: expect.stringContaining('sample 3') as string,
    })
  })

  test('no samples is an error', async () => {
    await expect(calibrate(ortCpu, graph, ['h'], batches(), { method: 'min-max' })).rejects.toMatchObject({
      code: 'calibrate.no-data',
    })
  })

  test('as many samples at once as the activations leave room for', () => {
    expect(calibrationBatch(graph, ['x', 'h'], 32, 20 * 8)).toBe(8)
    expect(calibrationBatch(graph, ['x', 'h'], 32, 1)).toBe(1)
  })
})
