import { describe, expect, test } from 'vitest'
import { evaluate } from '../executors/reference/index.ts'
import type { NdArray } from '../executors/reference/value.ts'
import { f32 } from '../graph/tensor.ts'
import { Emitter } from '../ops/emit.ts'
import { optimizer, type OptimizerId, type OptimizerOptions } from './optimizers.ts'

interface Case {
  readonly id: OptimizerId
  readonly options?: OptimizerOptions
  readonly decay?: number
}

const START = [1, -2, 0.5]
/** The gradient of a bowl, so that it changes with the parameters. */
const gradient = (p: readonly number[]) => p.map((v, i) => (i + 1) * v - 0.3)
const LR = 0.1

/** Steps an optimizer's graph from `START`, with the reference executor in float64. */
function stepped({ id, options, decay = 0 }: Case, steps: number): number[] {
  const made = optimizer(id, options)
  const g = new Emitter()
  g.opsets.set('', 18)
  const vector = (name: string) => g.input(name, 'f32', [START.length])
  const scalars = Object.keys(made.hyper(1, LR))
  const context = {
    g,
    params: vector('p'),
    grads: vector('dp'),
    state: Object.fromEntries(made.slots.map((slot) => [slot, vector(slot)])),
    hyper: Object.fromEntries(scalars.map((name) => [name, g.input(`hyper.${name}`, 'f32', [])])),
    decay,
  }
  const next = made.update(context)
  for (const name of [next.params, ...made.slots.map((slot) => next.state[slot] ?? '')]) g.output(name)
  const graph = g.build()
  let params: readonly number[] = START
  let state: readonly (readonly number[])[] = made.slots.map(() => START.map(() => 0))
  for (let step = 1; step <= steps; step++) {
    const feeds = {
      p: f32(params),
      dp: f32(gradient(params)),
      ...Object.fromEntries(made.slots.map((slot, i) => [slot, f32(state[i] ?? [])])),
      ...Object.fromEntries(Object.entries(made.hyper(step, LR)).map(([k, v]) => [`hyper.${k}`, f32([v], [])])),
    }
    const outputs = evaluate(graph, feeds, { precision: 'f64' })
    const [p = [], ...rest] = graph.outputs.map((v) => [...((outputs[v.name] as NdArray).data as Float64Array)])
    params = p
    state = rest
  }
  return [...params]
}

/** The papers' algorithms, element by element. */
const textbook: Readonly<Record<string, (c: Case, steps: number) => number[]>> = {
  sgd: ({ options: { momentum = 0, nesterov = false } = {}, decay = 0 }, steps) => {
    let p = START
    let v = START.map(() => 0)
    for (let t = 0; t < steps; t++) {
      const g = gradient(p).map((x, i) => x + decay * (p[i] as number))
      v = v.map((x, i) => momentum * x + (g[i] as number))
      const d = nesterov ? g.map((x, i) => x + momentum * (v[i] as number)) : v
      p = p.map((x, i) => x - LR * (d[i] as number))
    }
    return p
  },
  adam: (c, steps) => adamTextbook(c, steps, false),
  adamw: (c, steps) => adamTextbook(c, steps, true),
  rmsprop: ({ options: { alpha = 0.99, epsilon = 1e-8, momentum = 0 } = {} }, steps) => {
    let p = START
    let s = START.map(() => 0)
    let v = START.map(() => 0)
    for (let t = 0; t < steps; t++) {
      const g = gradient(p)
      s = s.map((x, i) => alpha * x + (1 - alpha) * (g[i] as number) ** 2)
      v = v.map((x, i) => momentum * x + (g[i] as number) / (Math.sqrt(s[i] as number) + epsilon))
      p = p.map((x, i) => x - LR * (v[i] as number))
    }
    return p
  },
}

function adamTextbook(
  { options: { betas: [b1, b2] = [0.9, 0.999], epsilon = 1e-8 } = {}, decay = 0 }: Case,
  steps: number,
  decoupled: boolean,
) {
  let p = START
  let m = START.map(() => 0)
  let v = START.map(() => 0)
  for (let t = 1; t <= steps; t++) {
    const g = gradient(p).map((x, i) => x + (decoupled ? 0 : decay * (p[i] as number)))
    m = m.map((x, i) => b1 * x + (1 - b1) * (g[i] as number))
    v = v.map((x, i) => b2 * x + (1 - b2) * (g[i] as number) ** 2)
    p = p.map((x, i) => {
      const direction = (m[i] as number) / (1 - b1 ** t) / (Math.sqrt((v[i] as number) / (1 - b2 ** t)) + epsilon)
      return x - LR * direction - (decoupled ? LR * decay * x : 0)
    })
  }
  return p
}

describe('optimizers follow their papers', () => {
  test.each<Case>([
    { id: 'sgd' },
    { id: 'sgd', options: { momentum: 0.9 } },
    { id: 'sgd', options: { momentum: 0.9, nesterov: true }, decay: 0.01 },
    { id: 'adam' },
    { id: 'adam', options: { betas: [0.8, 0.99], epsilon: 0.1 }, decay: 0.01 },
    { id: 'adamw', decay: 0.05 },
    { id: 'rmsprop' },
    { id: 'rmsprop', options: { alpha: 0.9, momentum: 0.5 } },
  ])('$id $options $decay', (c) => {
    const [ours, truth] = [stepped(c, 5), textbook[c.id]?.(c, 5) ?? []]
    // Scalars and vectors are fed as float32.
    ours.forEach((v, i) => expect(v).toBeCloseTo(truth[i] as number, 5))
    expect(Math.abs((ours[0] as number) - 1)).toBeGreaterThan(0.01)
  })

  test('Adam moves by the learning rate in its first step, whatever the size of the gradient', () => {
    expect(stepped({ id: 'adam' }, 1).map((v, i) => v - (START[i] as number))).toEqual(
      gradient(START).map((g) => expect.closeTo(-LR * Math.sign(g), 5) as number),
    )
  })
})
