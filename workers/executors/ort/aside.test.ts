import { describe, expect, test } from 'vitest'
import { f32, numbersOf, type Tensor } from '../../graph/tensor.ts'
import { parse } from '../../graph/parse.ts'
import { compileOrtAside } from './aside.ts'
import { ortCpu } from './executor.ts'

const graph = parse(`graph (x: f32[2,3]) -> (y: f32[2,2]) opset 18 {
  const w: f32[3,2] = [1,2,3,4,5,6]
  y = MatMul(x, w)
}`)
const x = (scale: number) => ({
  x: f32(
    [1, 2, 3, 4, 5, 6].map((v) => scale * v),
    [2, 3],
  ),
})

describe('a program in a thread of its own', () => {
  test('says what one in this thread says, several runs in order', async () => {
    const [here, aside] = [await ortCpu.compile(graph, { threads: 1 }), await compileOrtAside(graph, { threads: 1 })]
    const expected = await Promise.all([1, 2, 3].map(async (k) => numbersOf((await here.run(x(k)))['y'] as Tensor)))
    const found = await Promise.all([1, 2, 3].map(async (k) => numbersOf((await aside.run(x(k)))['y'] as Tensor)))
    expect(found).toEqual(expected)
    expect(aside.milliseconds).toBeGreaterThan(0)
    await Promise.all([here.dispose(), aside.dispose()])
  })

  test('hands errors over and goes on', async () => {
    const aside = await compileOrtAside(graph, { threads: 1 })
    await expect(aside.run({ x: f32([1], [1, 1]) })).rejects.toMatchObject({
      found: expect.stringMatching(/dimension/i) as string,
    })
    expect((await aside.run(x(1)))['y']?.dims).toEqual([2, 2])
    await aside.dispose()
  })

  test('answers nobody any more once it is disposed of', async () => {
    const aside = await compileOrtAside(graph, { threads: 1 })
    const open = aside.run(x(1)).catch(() => undefined)
    await aside.dispose()
    await open
    await expect(aside.run(x(1))).rejects.toMatchObject({ code: 'executor.thread' })
  })
})
