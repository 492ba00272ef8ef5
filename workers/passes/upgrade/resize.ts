import { AlambicError } from '../../protocol/errors.ts'
import { attributesOf } from '../../graph/attributes.ts'
import type { Node } from '../../graph/graph.ts'
import { f32, numbersOf, sizeOf } from '../../graph/tensor.ts'
import { rewrite, trimmed, type Adapter, type Scope } from './context.ts'

const hint = (node: Node, what: string): string => `${node.outputs[0] ?? node.name}.${what}`

const upsample9: Adapter = (node, scope) => {
  const { scales = [] } = attributesOf(node, 'Upsample')
  const inputs = [node.inputs[0] ?? '', scope.constant(hint(node, 'scales'), f32(scales))]
  return rewrite(node, { inputs, attributes: { scales: undefined } })
}

const upsample10: Adapter = (node) => rewrite(node, { op: 'Resize' })

/**
 * Resize 10 sampled at `x / scale`; its nearest pixel was the one below when enlarging and the one above when
 * shrinking (onnxruntime's reading of a text that leaves it open; `ResizeNearestMode::SIMPLE` in `upsamplebase.h`).
 */
const resize11: Adapter = (node, scope) => {
  const [x = '', scales = ''] = node.inputs
  const { mode = 'nearest' } = attributesOf(node, 'Resize')
  const nearest = mode === 'nearest' ? { nearest_mode: roundingOf(node, scope, scales) } : {}
  return rewrite(node, {
    inputs: [x, scope.constant(hint(node, 'roi'), f32([])), scales],
    attributes: { coordinate_transformation_mode: 'asymmetric', ...nearest },
  })
}

function roundingOf(node: Node, scope: Scope, scales: string): 'floor' | 'ceil' {
  const constant = scope.constantOf(scales)
  if (!constant) return 'floor'
  const factors = numbersOf(constant)
  const shrinks = factors.some((factor) => factor < 1)
  if (shrinks && factors.some((factor) => factor > 1)) {
    throw new AlambicError('upgrade.node', `node "${node.name}" (Resize): it enlarges one axis and shrinks another`, {
      subject: node.name,
      expected: 'factors on one side of 1, which newer opsets round alike',
      found: factors.join(', '),
      fix: 'Export the model again with a newer opset.',
    })
  }
  return shrinks ? 'ceil' : 'floor'
}

/** Empty tensors stood for left-out inputs; from 13 on they are left out. */
const resize13: Adapter = (node, scope) => {
  const isEmpty = (value: string) => {
    const constant = scope.constantOf(value)
    return constant !== undefined && sizeOf(constant.dims) === 0
  }
  return rewrite(node, { inputs: trimmed(node.inputs.map((value, i) => (i > 0 && isEmpty(value) ? '' : value))) })
}

export const resizeAdapters: Readonly<Record<string, Readonly<Record<number, Adapter>>>> = {
  Upsample: { 9: upsample9, 10: upsample10 },
  Resize: { 11: resize11, 13: resize13 },
}
