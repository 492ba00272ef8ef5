import type { Graph } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import type { Tensor } from '../graph/tensor.ts'
import { randomTensor } from './onnxruntime.ts'

/** So many residual blocks on 8×8 images of 3 classes, batch-normalized or not, and a dropout before the last layer. */
export function residualNet(blocks: number, norm: boolean): Graph {
  const names = Array.from({ length: blocks }, (_, i) => i)
  const weights = names.map((i) => `const w${i}: f32[4,4,3,3] = 0`).join('  ')
  const block = (i: number) => {
    const x = i === 0 ? 'h' : `r${i - 1}`
    const y = norm ? `c${i}b` : `c${i}`
    return `
      c${i} = Conv(${x}, w${i}) { pads = [1, 1, 1, 1] }
      ${norm ? `c${i}b = BatchNormalization(c${i}, scale, shift, mean${i}, var${i})` : ''}
      s${i} = Add(${y}, ${x})
      r${i} = Relu(s${i})`
  }
  const statistics = names.map((i) => `const mean${i}: f32[4] = 0  const var${i}: f32[4] = 1`).join('  ')
  const text = `graph (x: f32[N,1,8,8]) -> (y: f32[N,3]) opset 18 {
    const first: f32[4,1,3,3] = 0  ${weights}
    ${norm ? `const scale: f32[4] = 1  const shift: f32[4] = 0  ${statistics}` : ''}
    const v: f32[4,3] = 0
    const half: f32[] = 0.5
    h = Conv(x, first) { pads = [1, 1, 1, 1] }
    ${names.map(block).join('\n')}
    p = GlobalAveragePool(r${blocks - 1})
    f = Flatten(p)
    d = Dropout(f, half)
    y = MatMul(d, v)
  }`
  const graph = parse(text)
  const random = [...graph.initializers].map(([name, tensor], i): [string, Tensor] => {
    return /^(w\d|first|v)/.test(name) ? [name, randomTensor(tensor.dims, i + 1)] : [name, tensor]
  })
  return graph.with({ initializers: new Map(random) })
}
