import { preprocessingFor } from '../../datasets/index.ts'
import type { Graph } from '../../graph/graph.ts'
import { sizeOf, type Tensor } from '../../graph/tensor.ts'
import { convolutionGrams, gramMatrices, samplesOf } from '../../measure/quantization/index.ts'
import { attributesOf } from '../../graph/attributes.ts'
import {
  affineAt,
  codesOf,
  floatsOf,
  gptq,
  matrixLayers,
  planQuantization,
  rowsOf,
  weightAffines,
  weightOptionsOf,
  type QuantizedWeight,
  type StaticScheme,
  type WeightSite,
} from '../../passes/index.ts'
import type { StepContext } from '../step.ts'
import type { QuantizeOptions } from './options.ts'
import { calibrationSplit } from './ranges.ts'

type Sampling = Pick<QuantizeOptions, 'samples' | 'calibrationBatch' | 'preprocessing'>

/** The curvature of the layers' squared errors by the names of their nodes, from streamed samples. */
export async function curvatures(
  context: StepContext,
  graph: Graph,
  options: Sampling & { readonly convolutions: boolean },
): Promise<ReadonlyMap<string, Float64Array>> {
  const { data, seed } = context
  const layers = matrixLayers(graph)
  const samples = samplesOf(graph, calibrationSplit(data), {
    samples: options.samples,
    batch: options.calibrationBatch,
    seed,
    preprocessing: preprocessingFor(data, context.model, options.preprocessing),
  })
  const grams = await gramMatrices(context, graph, [...new Set(layers.map((node) => node.inputs[0] ?? ''))], samples)
  const convolutions = options.convolutions ? graph.nodes.filter((node) => node.op === 'Conv') : []
  const ofConvolutions = await convolutionGrams(context, graph, convolutions, samples)
  return new Map([
    ...ofConvolutions,
    ...layers.flatMap((node) => {
      const gram = grams.get(node.inputs[0] ?? '')
      return gram ? [[node.name, gram] as const] : []
    }),
  ])
}

/**
 * Rounds the weights of a static scheme by curvature (GPTQ, Frantar et al. 2023, arXiv:2210.17323), with the scales that
 * nearest rounding has. Layers without a curvature (open sizes, transposed convolutions) are left to nearest rounding.
 */
export async function roundedByCurvature(
  context: StepContext,
  graph: Graph,
  scheme: StaticScheme,
  options: Sampling,
): Promise<ReadonlyMap<string, QuantizedWeight>> {
  const found = await curvatures(context, graph, { ...options, convolutions: true })
  const weights = new Map<string, QuantizedWeight>()
  for (const site of planQuantization(graph).weights) {
    const hessian = found.get(site.node.name)
    const rounded = hessian && roundSite(graph, site, scheme, hessian)
    if (rounded) weights.set(site.name, rounded)
  }
  return weights
}

function roundSite(
  graph: Graph,
  { name, node, axis }: WeightSite,
  scheme: StaticScheme,
  hessian: Float64Array,
): QuantizedWeight {
  const tensor = graph.initializers.get(name) as Tensor
  const choice = weightOptionsOf(scheme, axis)
  const affines = weightAffines(floatsOf(tensor), tensor.dims, choice, name)
  const { rows: whole, stored } =
    node.op === 'Conv' ? { rows: convolutionRows(tensor), stored: true } : rowsOf(graph, node)
  const { group = 1 } = node.op === 'Conv' ? attributesOf(node, 'Conv') : {}
  const { columns } = whole
  const rows = whole.rows / group
  const codes = new Int32Array(whole.values.length)
  for (let g = 0; g < group; g++) {
    const values = whole.values.subarray(g * rows * columns, (g + 1) * rows * columns)
    const own = hessian.subarray(g * columns ** 2, (g + 1) * columns ** 2)
    const scales = Array.from({ length: rows }, (_, r) => affineAt(affines, g * rows + r))
    const { type, symmetric = false } = choice
    const part = gptq({ rows, columns, values }, own, {
      type,
      symmetric,
      codes: codesOf(type, choice),
      affines: scales,
    })
    codes.set(part.codes, g * rows * columns)
  }
  const laid = stored
    ? codes
    : Int32Array.from(codes, (_, i) => codes[(i % rows) * columns + Math.floor(i / rows)] as number)
  return { type: choice.type, dims: tensor.dims, axis: choice.axis, affines, codes: laid }
}

/** Each output channel is a row over the inputs that it sees. */
function convolutionRows(tensor: Tensor) {
  const [rows = 1] = tensor.dims
  return { rows, columns: sizeOf(tensor.dims) / rows, values: Float64Array.from(floatsOf(tensor)) }
}
