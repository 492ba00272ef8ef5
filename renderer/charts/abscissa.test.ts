import { expect, test } from 'vitest'
import { Derived, timeOf } from './abscissa.ts'
import { Column } from './column.ts'

const columnOf = (values: number[]) => {
  const column = new Column()
  column.append(values)
  return column
}

test('the time of a step lies on the line between the rows around it', () => {
  const [steps, times] = [columnOf([10, 20]), columnOf([1000, 3000])]
  expect([0, 5, 10, 15, 20, 99].map((step) => timeOf(step, steps, times))).toEqual([0, 500, 1000, 2000, 3000, 3000])
  expect(timeOf(1, columnOf([]), columnOf([]))).toBeNaN()
})

test('what was not certain is made anew', () => {
  const source = columnOf([1, 2, 3])
  const derived = new Derived()
  expect([...derived.follow(source, (v) => v * 10, 2).values]).toEqual([10, 20, 30])
  source.append([4])
  expect([...derived.follow(source, (v) => v * 100).values]).toEqual([10, 20, 300, 400])
  source.truncate(1)
  expect([...derived.follow(source, (v) => v).values]).toEqual([10])
})
