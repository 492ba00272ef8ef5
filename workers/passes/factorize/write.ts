import { attributesOf, type Attributes } from '../../graph/attributes.ts'
import type { Node } from '../../graph/graph.ts'
import type { Rewriter } from '../../graph/rewrite.ts'
import { f32 } from '../../graph/tensor.ts'
import { matrixOf, transpose } from './matrix.ts'
import type { Axes, Piece } from './piece.ts'

/** Puts the pieces in the place of a layer's node. */
export function writePieces(rewriter: Rewriter, node: Node, pieces: readonly Piece[]): void {
  const write = writers[node.op]
  if (write) rewriter.replace(node, write({ rewriter, node, pieces }))
}

interface Writing {
  readonly rewriter: Rewriter
  readonly node: Node
  readonly pieces: readonly Piece[]
}

/** Adds one node and returns its output. Names follow the layer's: `conv1/1`, `conv1.weight/1`. */
function add(
  w: Writing,
  i: number,
  weight: ArrayLike<number>,
  dims: readonly number[],
  node: Pick<Node, 'op' | 'attributes'> & { readonly inputs: (weight: string) => readonly string[] },
): string {
  const { builder } = w.rewriter
  const name = builder.constant(`${w.node.inputs[1] ?? ''}/${i + 1}`, f32(weight, dims))
  const output = builder.fresh(`${w.node.outputs[0] ?? ''}/${i + 1}`)
  builder.append({
    name: `${w.node.name || (w.node.outputs[0] ?? '')}/${i + 1}`,
    op: node.op,
    domain: '',
    inputs: node.inputs(name),
    outputs: [output],
    attributes: node.attributes,
  })
  return output
}

const int = (value: number) => ({ kind: 'int', value }) as const

/** α·op(A)·Bᵀ, then the same with the bias: α and transA stay with the first, β with the second. */
function writeGemm(w: Writing): string {
  const { node, pieces } = w
  const { alpha, beta, transA } = node.attributes
  const [x = '', , c = ''] = node.inputs
  const [first, second] = pieces as readonly [Piece, Piece]
  const h = add(w, 0, first.data, [first.out, first.in], {
    op: 'Gemm',
    inputs: (weight) => [x, weight],
    attributes: { ...(alpha && { alpha }), ...(transA && { transA }), transB: int(1) },
  })
  return add(w, 1, second.data, [second.out, second.in], {
    op: 'Gemm',
    inputs: (weight) => (c === '' ? [h, weight] : [h, weight, c]),
    attributes: { ...(beta && { beta }), transB: int(1) },
  })
}

function writeMatMul(w: Writing): string {
  return w.pieces.reduce(
    (x, piece, i) =>
      add(w, i, transpose(matrixOf(piece.out, piece.in, piece.data)).data, [piece.in, piece.out], {
        op: 'MatMul',
        inputs: (weight) => [x, weight],
        attributes: {},
      }),
    w.node.inputs[0] ?? '',
  )
}

/** Convolutions in a row; only the last has the bias, because a bias before a padded one would show at the border. */
function writeConv(w: Writing): string {
  const { node, pieces } = w
  const bias = node.inputs[2] ?? ''
  return pieces.reduce((x, piece, i) => {
    const last = i === pieces.length - 1 && bias !== ''
    return add(w, i, piece.data, [piece.out, piece.in, ...piece.kernel], {
      op: 'Conv',
      inputs: (weight) => (last ? [x, weight, bias] : [x, weight]),
      attributes: {
        ...spatialAttributes(node, piece),
        kernel_shape: { kind: 'ints', value: [...piece.kernel] },
        ...(piece.group > 1 ? { group: int(piece.group) } : {}),
      },
    })
  }, node.inputs[0] ?? '')
}

/** Which of the axes each kind of piece takes the attributes of; the others have stride 1 and no padding. */
const takes: Readonly<Record<Axes, (axis: number) => boolean>> = {
  none: () => false,
  all: () => true,
  rows: (axis) => axis === 0,
  columns: (axis) => axis === 1,
}

function spatialAttributes(node: Node, { axes, kernel }: Piece): Attributes {
  if (axes === 'none') return {}
  const { strides, dilations, pads, auto_pad: auto } = attributesOf(node, 'Conv')
  const taken = takes[axes]
  const n = kernel.length
  const pick = (values: readonly number[] | undefined, other: number) =>
    values && ({ kind: 'ints', value: values.map((v, i) => (taken(i % n) ? v : other)) } as const)
  const [s, d, p] = [pick(strides, 1), pick(dilations, 1), pick(pads, 0)]
  const named = auto !== undefined && auto !== 'NOTSET' ? ({ kind: 'string', value: auto } as const) : undefined
  return {
    ...(s && { strides: s }),
    ...(d && { dilations: d }),
    ...(p && !named && { pads: p }),
    ...(named && { auto_pad: named }),
  }
}

const writers: Readonly<Record<string, (w: Writing) => string>> = {
  Conv: writeConv,
  Gemm: writeGemm,
  MatMul: writeMatMul,
}
