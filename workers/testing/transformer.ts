import type { Graph } from '../graph/graph.ts'
import { tensorOf } from '../graph/tensor.ts'
import { Emitter } from '../ops/emit.ts'
import { randomTensor } from './onnxruntime.ts'

export interface TransformerSize {
  readonly blocks: number
  readonly width: number
  readonly tokens: number
  readonly classes: number
}

/**
 * A transformer of plain operators, as exporters write it: layer normalization, one head of attention, a gated layer,
 * 21 nodes for each block. Input f32 `[N, tokens, width]`, output f32 `[N, classes]`.
 */
export function deepTransformer({ blocks, width, tokens, classes }: TransformerSize): Graph {
  const g = new Emitter()
  let seed = 0
  const weight = (name: string, rows: number, columns: number) => {
    const { bytes } = randomTensor([rows, columns], ++seed)
    const values = new Float32Array(bytes.slice().buffer).map((v) => (0.3 * v) / Math.sqrt(rows))
    return g.constant(name, tensorOf('f32', [rows, columns], values))
  }
  const vector = (name: string, value: number) =>
    g.constant(name, tensorOf('f32', [width], new Float32Array(width).fill(value)))
  const norm = (x: string, name: string) =>
    g.op('LayerNormalization', [x, vector(`${name}.scale`, 1), vector(`${name}.bias`, 0)], { axis: -1 })
  let x = g.input('x', 'f32', ['N', tokens, width])
  for (let i = 0; i < blocks; i++) {
    const of = (name: string) => `block${i}.${name}`
    const project = (value: string, name: string) => g.matmul(value, weight(of(name), width, width))
    const h = norm(x, of('norm1'))
    const [q, k, v] = [project(h, 'q'), project(h, 'k'), project(h, 'v')]
    const scores = g.mul(g.matmul(q, g.transpose(k, [0, 2, 1])), 1 / Math.sqrt(width))
    const mixed = project(g.matmul(g.softmax(scores, -1), v), 'out')
    const y = g.add(x, mixed)
    const z = norm(y, of('norm2'))
    const gate = project(z, 'gate')
    const inner = g.mul(g.mul(gate, g.sigmoid(gate)), project(z, 'up'))
    x = g.add(y, g.tanh(g.add(project(inner, 'down'), vector(of('bias'), 0))))
  }
  const pooled = g.mul(g.sum(x, [1], false), 1 / tokens)
  g.output(g.matmul(pooled, weight('classes', width, classes)))
  return g.build()
}
