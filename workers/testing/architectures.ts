import type { Graph } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import type { Tensor } from '../graph/tensor.ts'
import { zoo, type ZooId } from '../zoo/index.ts'
import { randomGraph } from './pruning.ts'

/*
 * Small nets of every shape that pruning meets, with random weights: those of the zoo in reduced width, and families
 * that the zoo has not, written out by hand.
 */

/** Statements of a convolution with batch-norm and ReLU; `name` is the result. */
function block(name: string, from: string, inputs: number, outputs: number, kernel = 3, group = 1): string {
  const pad = (kernel - 1) / 2
  return `const w${name}: f32[${outputs},${inputs / group},${kernel},${kernel}] = 1
    ${name}_c = Conv(${from}, w${name}) {group=${group}, pads=[${pad},${pad},${pad},${pad}]}
    const g${name}: f32[${outputs}] = 1 const b${name}: f32[${outputs}] = 1 const m${name}: f32[${outputs}] = 1 const var${name}: f32[${outputs}] = 20
    ${name}_n = BatchNormalization(${name}_c, g${name}, b${name}, m${name}, var${name}) ${name} = Relu(${name}_n)
  `
}

const head = (from: string, channels: number): string =>
  `gap = GlobalAveragePool(${from}) flat = Flatten(gap) const wh: f32[${channels},5] = 1 y = MatMul(flat, wh)`

const onImages = (body: string): Graph => randomGraph(`graph (x: f32[2,3,16,16]) -> (y: f32) opset 17 { ${body} }`)

/** Every layer reads all layers before it, through a normalization of its own (Huang et al. 2017, DenseNet). */
function denseNet(): Graph {
  let body = block('stem', 'x', 3, 12)
  let [from, channels] = ['stem', 12]
  for (let i = 0; i < 4; i++) {
    body += `const g${i}: f32[${channels}] = 1 const b${i}: f32[${channels}] = 1 const m${i}: f32[${channels}] = 1 const var${i}: f32[${channels}] = 9
      n${i} = BatchNormalization(${from}, g${i}, b${i}, m${i}, var${i}) r${i} = Relu(n${i}) ${block(`a${i}`, `r${i}`, channels, 16, 1)}
      const k${i}: f32[6,16,3,3] = 1 l${i} = Conv(a${i}, k${i}) {pads=[1,1,1,1]} d${i} = Concat(${from}, l${i}) {axis=1} `
    ;[from, channels] = [`d${i}`, channels + 6]
  }
  return onImages(body + head(from, channels))
}

/** Branches of several sizes side by side, one of them a pool (Szegedy et al. 2015, GoogLeNet). */
const inception = (): Graph =>
  onImages(
    `${block('s', 'x', 3, 8)} ${block('p', 's', 8, 6, 1)} ${block('q', 's', 8, 4, 1)} ${block('q3', 'q', 4, 8)} ${block('t', 's', 8, 4, 1)} ${block('t5', 't', 4, 6, 5)}
     pool = MaxPool(s) {kernel_shape=[3,3], pads=[1,1,1,1]} ${block('u', 'pool', 8, 4, 1)} cat = Concat(p, q3, t5, u) {axis=1} ${block('z', 'cat', 24, 10)} ${head('z', 10)}`,
  )

/** Down, up by Resize and ConvTranspose, with skips (Ronneberger et al. 2015). The output is an image. */
const uNet = (): Graph =>
  onImages(
    `${block('a', 'x', 3, 8)} pa = MaxPool(a) {kernel_shape=[2,2], strides=[2,2]} ${block('b', 'pa', 8, 12)} pb = MaxPool(b) {kernel_shape=[2,2], strides=[2,2]} ${block('c', 'pb', 12, 16)}
     const up: f32[16,12,2,2] = 1 ub = ConvTranspose(c, up) {strides=[2,2]} cb = Concat(ub, b) {axis=1} ${block('d', 'cb', 24, 12)}
     const varscales: f32[4] = [1,1,2,2] ua = Resize(d, , varscales) {mode="nearest"} ca = Concat(ua, a) {axis=1} ${block('e', 'ca', 20, 8)}
     const wo: f32[2,8,1,1] = 1 y = Conv(e, wo)`,
  )

export interface VitSizes {
  readonly image: number
  readonly patch: number
  readonly heads: number
  /** Elements of a head. */
  readonly size: number
  readonly mlp: number
  readonly depth: number
  readonly classes: number
}

/** Patches, a class token, positions, blocks of attention and MLP (Dosovitskiy et al. 2021, as in torchvision). */
export function vitText({ image, patch, heads, size, mlp, depth, classes }: VitSizes): string {
  const width = heads * size
  const side = image / patch
  const tokens = side * side + 1
  const layer = (name: string, from: string): string => `
    const lg${name}: f32[${width}] = 1 const lb${name}: f32[${width}] = 1 n${name} = LayerNormalization(${from}, lg${name}, lb${name})
    const wqkv${name}: f32[${width},${3 * width}] = 1 const bqkv${name}: f32[${3 * width}] = 1 a${name} = MatMul(n${name}, wqkv${name}) ab${name} = Add(a${name}, bqkv${name})
    const sh${name}: i64[5] = [2,${tokens},3,${heads},${size}] r${name} = Reshape(ab${name}, sh${name}) t${name} = Transpose(r${name}) {perm=[2,0,3,1,4]}
    const i0${name}: i64[] = 0 const i1${name}: i64[] = 1 const i2${name}: i64[] = 2 q${name} = Gather(t${name}, i0${name}) k${name} = Gather(t${name}, i1${name}) v${name} = Gather(t${name}, i2${name})
    kt${name} = Transpose(k${name}) {perm=[0,1,3,2]} s${name} = MatMul(q${name}, kt${name}) const d${name}: f32[] = 0.05 sd${name} = Mul(s${name}, d${name}) p${name} = Softmax(sd${name}) {axis=-1}
    o${name} = MatMul(p${name}, v${name}) ot${name} = Transpose(o${name}) {perm=[0,2,1,3]} const fl${name}: i64[3] = [0,0,-1] of${name} = Reshape(ot${name}, fl${name})
    const wp${name}: f32[${width},${width}] = 1 const bp${name}: f32[${width}] = 1 pr${name} = MatMul(of${name}, wp${name}) pb${name} = Add(pr${name}, bp${name}) x${name} = Add(pb${name}, ${from})
    const mg${name}: f32[${width}] = 1 const mb${name}: f32[${width}] = 1 mn${name} = LayerNormalization(x${name}, mg${name}, mb${name})
    const w1${name}: f32[${width},${mlp}] = 1 const b1${name}: f32[${mlp}] = 1 h${name} = MatMul(mn${name}, w1${name}) hb${name} = Add(h${name}, b1${name}) g${name} = Gelu(hb${name})
    const w2${name}: f32[${mlp},${width}] = 1 const b2${name}: f32[${width}] = 1 f${name} = MatMul(g${name}, w2${name}) fb${name} = Add(f${name}, b2${name}) ${name} = Add(fb${name}, x${name})`
  const layers = Array.from({ length: depth }, (_, i) => layer(`L${i}`, i === 0 ? 'pos' : `L${i - 1}`))
  return `graph (x: f32[2,3,${image},${image}]) -> (y: f32) opset 20 {
    const we: f32[${width},3,${patch},${patch}] = 1 const be: f32[${width}] = 1 e = Conv(x, we, be) {strides=[${patch},${patch}]} const se: i64[3] = [0,${width},${side * side}] er = Reshape(e, se) et = Transpose(er) {perm=[0,2,1]}
    const token: f32[1,1,${width}] = 1 const big: i64[3] = [2,1,${width}] tk = Expand(token, big) cat = Concat(tk, et) {axis=1} const position: f32[1,${tokens},${width}] = 1 pos = Add(cat, position)
    ${layers.join('')} const ng: f32[${width}] = 1 const nb: f32[${width}] = 1 n = LayerNormalization(L${depth - 1}, ng, nb) const first: i64[] = 0 c = Gather(n, first) {axis=1}
    const wy: f32[${width},${classes}] = 1 const by: f32[${classes}] = 1 y = Gemm(c, wy, by) }`
}

const vit = (): Graph => randomGraph(vitText({ image: 16, patch: 4, heads: 3, size: 4, mlp: 24, depth: 2, classes: 5 }))

/** torchvision's DenseNet-121 on 224² images. */
export function denseNet121Text(): string {
  let body = `const w0: f32[64,3,7,7] = 1 c0 = Conv(x, w0) {strides=[2,2], pads=[3,3,3,3]} ${normed('n0', 'c0', 64)} p0 = MaxPool(n0) {kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]} `
  let [from, channels] = ['p0', 64]
  for (const [b, layers] of [6, 12, 24, 16].entries()) {
    for (let i = 0; i < layers; i++) {
      const id = `_${b}_${i}`
      body += `${normed(`na${id}`, from, channels)} const wa${id}: f32[128,${channels},1,1] = 1 a${id} = Conv(na${id}, wa${id}) ${normed(`nb${id}`, `a${id}`, 128)}
        const wb${id}: f32[32,128,3,3] = 1 b${id} = Conv(nb${id}, wb${id}) {pads=[1,1,1,1]} d${id} = Concat(${from}, b${id}) {axis=1} `
      ;[from, channels] = [`d${id}`, channels + 32]
    }
    if (b === 3) break
    const half = channels / 2
    body += `${normed(`nt${b}`, from, channels)} const wt${b}: f32[${half},${channels},1,1] = 1 t${b} = Conv(nt${b}, wt${b}) q${b} = AveragePool(t${b}) {kernel_shape=[2,2], strides=[2,2]} `
    ;[from, channels] = [`q${b}`, half]
  }
  return `graph (x: f32[2,3,224,224]) -> (y: f32) opset 17 { ${body} ${normed('last', from, channels)}
    gap = GlobalAveragePool(last) flat = Flatten(gap) const wy: f32[${channels},1000] = 1 const by: f32[1000] = 1 y = Gemm(flat, wy, by) }`
}

/** Batch-norm and ReLU. */
const normed = (name: string, from: string, channels: number): string =>
  `const g${name}: f32[${channels}] = 1 const b${name}: f32[${channels}] = 1 const m${name}: f32[${channels}] = 1 const var${name}: f32[${channels}] = 1
   ${name}_n = BatchNormalization(${from}, g${name}, b${name}, m${name}, var${name}) ${name} = Relu(${name}_n)`

/** A graph from its text whose float constants have dims but no bytes: for counting large nets. */
export function hollowGraph(text: string): Graph {
  const hollow = new Map<string, Tensor>()
  const rest = text.replaceAll(/const (\w+): f32\[([\d,]+)\] = 1\b/g, (_, name: string, dims: string) => {
    hollow.set(name, { dtype: 'f32', dims: dims.split(',').map(Number), bytes: new Uint8Array(0) })
    return ''
  })
  const graph = parse(rest)
  return graph.with({ initializers: new Map([...graph.initializers, ...hollow]) })
}

/** Words, a two-way LSTM, then a GRU whose last state is classified. */
const recurrent = (): Graph =>
  randomGraph(`graph (x: f32[7,2,6]) -> (y: f32) opset 17 {
    const we: f32[6,10] = 1 e = MatMul(x, we) t = Tanh(e) const w: f32[2,32,10] = 1 const r: f32[2,32,8] = 1 const b: f32[2,64] = 1 h = LSTM(t, w, r, b) {hidden_size=8, direction="bidirectional"}
    ht = Transpose(h) {perm=[0,2,1,3]} const s: i64[3] = [0,0,16] hf = Reshape(ht, s) const wg: f32[1,18,16] = 1 const rg: f32[1,18,6] = 1 _, z = GRU(hf, wg, rg) {hidden_size=6}
    const zero: i64[1] = 0 last = Squeeze(z, zero) const wo: f32[6,5] = 1 y = MatMul(last, wo) }`)

/** Depthwise and grouped convolutions, squeeze and excite with a hard sigmoid, hard swish. */
const mobile = (): Graph =>
  onImages(
    `${block('a', 'x', 3, 8, 1)} ${block('d', 'a', 8, 8, 3, 8)} sq = GlobalAveragePool(d) const w1: f32[4,8,1,1] = 1 s1 = Conv(sq, w1) s2 = Relu(s1) const w2: f32[8,4,1,1] = 1 s3 = Conv(s2, w2)
     s4 = HardSigmoid(s3) se = Mul(d, s4) hs = HardSwish(se) ${block('p', 'hs', 8, 8, 1)} r = Add(p, a) ${block('g', 'r', 8, 12, 3, 4)} ${head('g', 12)}`,
  )

const small = (id: ZooId, side: number, width: number) => (): Graph =>
  zoo[id].build({ inputDims: [zoo[id].input[0], side, side], width, classes: 5, seed: 7 })

/** A net by name; `exact` is false where normalizations count the channels that go. */
export const architectures: Readonly<Record<string, () => Graph>> = {
  'lenet-5': () => zoo['lenet-5'].build(),
  'resnet-20': small('resnet-20', 16, 0.5),
  'resnet-50': small('resnet-50', 32, 0.125),
  'vgg-16-cifar': small('vgg-16-cifar', 32, 0.125),
  'mobilenet-v1': small('mobilenet-v1', 32, 0.25),
  'mobilenet-v2': small('mobilenet-v2', 32, 0.25),
  'mobilenet-v3-small': small('mobilenet-v3-small', 32, 0.25),
  'shufflenet-v1': small('shufflenet-v1', 32, 0.5),
  'shufflenet-v2': small('shufflenet-v2', 32, 0.5),
  'squeezenet-1.1': small('squeezenet-1.1', 48, 0.25),
  DenseNet: denseNet,
  Inception: inception,
  'U-Net': uNet,
  ViT: vit,
  recurrent,
  mobile,
}
