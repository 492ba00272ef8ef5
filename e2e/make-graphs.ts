import { join } from 'node:path'
import { Builder } from '../workers/graph/builder.ts'
import { Graph, modelOf } from '../workers/graph/graph.ts'
import type { OpType } from '../workers/graph/schema.ts'
import { gaussian, mulberry32 } from '../workers/graph/random.ts'
import { f32 } from '../workers/graph/tensor.ts'
import { inferTypes } from '../workers/ops/infer.ts'
import { openModel } from '../workers/recipes/open.ts'
import { writeModel } from '../workers/onnx/index.ts'

/*
 * `make-graphs.ts <folder>`: models of several kinds as ONNX files. Two convolutional networks of the zoo, a transformer of
 * 2,000 nodes whose names have scopes, and 10,000 nodes without any.
 */
const [folder = '.'] = process.argv.slice(2)
const random = mulberry32(7)
const noise = (...dims: number[]) =>
  f32(
    Float32Array.from({ length: dims.reduce((n, d) => n * d, 1) }, () => 0.1 * gaussian(random)),
    dims,
  )

const WIDTH = 32
const LAYERS = 100

/** Post-norm encoder layers (Vaswani et al. 2017, §3.1) of 20 nodes, single-headed, as PyTorch names them. */
function transformer() {
  const g = new Builder(new Graph({ name: 'transformer' }))
  let x = g.input('tokens', 'f32', [1, 16, WIDTH])
  for (let i = 0; i < LAYERS; i++) {
    const op = (type: OpType, inputs: string[], name: string, attributes = {}): string => {
      const path = `/encoder/layer.${i}/${name}`
      return g.op(type, inputs, attributes, { names: [`${path}_output`], name: path })
    }
    const linear = (from: string, inputs: number, outputs: number, name: string): string => {
      const weight = g.constant(`encoder.layer.${i}.${name}.weight`, noise(inputs, outputs))
      const bias = g.constant(`encoder.layer.${i}.${name}.bias`, noise(outputs))
      return op('Add', [op('MatMul', [from, weight], `${name}/MatMul`), bias], `${name}/Add`)
    }
    const norm = (from: string, name: string): string => {
      const scale = g.constant(`encoder.layer.${i}.${name}.weight`, noise(WIDTH))
      const bias = g.constant(`encoder.layer.${i}.${name}.bias`, noise(WIDTH))
      return op('LayerNormalization', [from, scale, bias], `${name}/LayerNormalization`, { axis: -1 })
    }
    const [q, k, v] = ['query', 'key', 'value'].map((name) => linear(x, WIDTH, WIDTH, `attention/${name}`)) as [
      string,
      string,
      string,
    ]
    const turned = op('Transpose', [k], 'attention/Transpose', { perm: [0, 2, 1] })
    const scores = op('MatMul', [q, turned], 'attention/MatMul')
    const root = g.constant(`encoder.layer.${i}.root`, f32([Math.sqrt(WIDTH)], []))
    const soft = op('Softmax', [op('Div', [scores, root], 'attention/Div')], 'attention/Softmax', { axis: -1 })
    const mixed = linear(op('MatMul', [soft, v], 'attention/MatMul_1'), WIDTH, WIDTH, 'attention/output')
    const first = norm(op('Add', [x, mixed], 'attention/Add'), 'attention/norm')
    const hidden = op('Relu', [linear(first, WIDTH, 4 * WIDTH, 'intermediate')], 'intermediate/Relu')
    x = norm(op('Add', [first, linear(hidden, 4 * WIDTH, WIDTH, 'output')], 'output/Add_1'), 'output/norm')
  }
  g.output(x)
  return g.build()
}

/** Elementwise operators in no order, each reading the one before and often one from long ago. */
function tangle(count: number) {
  const g = new Builder(new Graph({ name: 'tangle' }))
  const made = [g.input('x', 'f32', [1, 8])]
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T
  for (let i = 0; i < count; i++) {
    const last = made.at(-1) as string
    const two = random() < 0.3
    const op = two
      ? pick(['Add', 'Mul', 'Sub', 'Max'] as const)
      : pick(['Relu', 'Sigmoid', 'Tanh', 'Neg', 'Abs'] as const)
    made.push(g.op(op, two ? [last, pick(made.slice(-200))] : [last], {}, { names: [`v${i}`], name: `${op}_${i}` }))
  }
  g.output(made.at(-1) as string)
  return g.build()
}

await writeModel(await openModel('shufflenet-v2', 7), join(folder, 'convolutional.onnx'))
await writeModel(await openModel('lenet-5', 7), join(folder, 'lenet.onnx'))
await writeModel(modelOf(inferTypes(transformer())), join(folder, 'transformer.onnx'))
await writeModel(modelOf(inferTypes(tangle(10_000))), join(folder, 'tangle.onnx'))
