import { expect, test } from 'vitest'
import { Column } from './column.ts'
import { Smoother } from './smooth.ts'

const columnOf = (values: number[]) => {
  const column = new Column()
  column.append(values)
  return column
}

test('the average is without the bias of its start', () => {
  // β = 0.5: (1), (0.5·1·0.5 + 0.5·3) / 0.75, …
  const smooth = [...new Smoother(0.5).follow(columnOf([1, 3, 5])).values]
  expect(smooth[0]).toBeCloseTo(1, 12)
  expect(smooth[1]).toBeCloseTo((0.25 * 1 + 0.5 * 3) / 0.75, 12)
  expect(smooth[2]).toBeCloseTo((0.125 * 1 + 0.25 * 3 + 0.5 * 5) / 0.875, 12)
})

test('a constant stays that constant, however strong the smoothing', () => {
  for (const beta of [0, 0.9, 0.999, 1]) {
    const smooth = new Smoother(beta).follow(columnOf(new Array<number>(500).fill(2.5)))
    expect(smooth.extent(0, 500)?.map((v) => v.toFixed(9))).toEqual(['2.500000000', '2.500000000'])
  }
})

test('following a growing column gives what one pass gives; NaN is passed through and forgotten', () => {
  const values = Array.from({ length: 300 }, (_, i) => (i === 120 ? NaN : Math.sin(i / 9)))
  const whole = new Smoother(0.9).follow(columnOf(values)).values
  const source = new Column()
  const smoother = new Smoother(0.9)
  for (let i = 0; i < 300; i += 7) {
    source.append(values.slice(i, i + 7))
    smoother.follow(source)
  }
  expect([...smoother.column.values]).toEqual([...whole])
  expect(whole[120]).toBeNaN()
  expect(whole[121]).toBeGreaterThan(-1)
})

test('a source that was cut is smoothed anew', () => {
  const source = columnOf([9, 9, 9])
  const smoother = new Smoother(0.5)
  smoother.follow(source)
  source.truncate(0)
  source.append([1, 1])
  expect([...smoother.follow(source).values]).toEqual([1, 1])
})
