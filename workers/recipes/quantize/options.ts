import { z } from 'zod'
import { Preprocessing } from '../../datasets/index.ts'
import { calibrationMethods } from '../../measure/calibrate/index.ts'
import type { StaticScheme } from '../../passes/index.ts'
import { parseQuantizeBudget } from './mixed.ts'

/** How ranges of activations are found: what every method that calibrates can be told. */
export const CalibrationOptions = z.object({
  calibration: z
    .enum(calibrationMethods)
    .default('min-max')
    .describe('How ranges of activations are chosen from what the samples show'),
  samples: z.number().int().min(1).default(300).describe('Samples to calibrate with; labels are not needed'),
  calibrationBatch: z.number().int().min(1).default(32).describe('Most samples that run at once'),
  percentile: z.number().gt(50).max(100).default(99.999).describe('Share of |x| inside the range, in percent'),
  bins: z.number().int().min(128).multipleOf(2).default(2048).describe('Bins of the histograms'),
  quantizedBins: z.number().int().min(2).default(128).describe('Groups that the entropy method merges bins into'),
  preprocessing: Preprocessing.optional().describe("The data set's own unless given"),
})
export type CalibrationOptions = z.output<typeof CalibrationOptions>

/** Element types and schemes of statically quantized graphs. */
export const SchemeOptions = z.object({
  activations: z.enum(['u8', 'i8', 'u16', 'i16']).default('u8').describe('Type of activations'),
  symmetricActivations: z.boolean().default(false).describe('Zero in the middle of every range'),
  weights: z.enum(['i8', 'u8', 'i4']).default('i8').describe('Type of weights'),
  weightBits: z
    .number()
    .int()
    .min(2)
    .max(7)
    .optional()
    .describe('Fewer bits than the type of weights has, stored in that type: 4-bit weights on int8 kernels'),
  perChannel: z.boolean().default(true).describe('A weight scale for each output channel'),
  reduceRange: z
    .boolean()
    .default(false)
    .describe('Weights of 7 bits: sums of u8·s8 pairs saturate on processors with AVX2 but no VNNI'),
  bias: z.enum(['int32', 'float']).default('int32'),
  weightRange: z.enum(['min-max', 'mse']).default('min-max').describe('Extremes, or the clip of least error'),
})
export type SchemeOptions = z.output<typeof SchemeOptions>

export const QuantizeOptions = z.strictObject({
  mode: z
    .enum(['static', 'dynamic', 'weights', 'fp16'])
    .default('static')
    .describe(
      'static: weights and calibrated activations in int8; dynamic: weights in int8, activations at run time; weights: 4 or 8 bits, float activations; fp16: half precision',
    ),
  ...SchemeOptions.shape,
  ...CalibrationOptions.shape,
  equalize: z.boolean().default(false).describe('Balance the channels of layers that follow each other first'),
  replaceRelu6: z
    .boolean()
    .default(false)
    .describe('equalize: turn Relu6 into Relu, which scales with its input but is another function'),
  biasCorrection: z
    .enum(['none', 'analytic', 'empirical'])
    .default('none')
    .describe(
      'Add what quantization takes from the mean of every channel to the biases: as batch normalizations tell, or as measured, layer by layer',
    ),
  rounding: z
    .enum(['nearest', 'gptq'])
    .default('nearest')
    .describe('static: weights to their nearest codes, or so that each layer puts out what it did (GPTQ)'),
  floatOutputs: z.boolean().default(true).describe('Let a last Gemm or MatMul put out float, at no cost'),
  format: z
    .enum(['qdq', 'qoperator'])
    .default('qdq')
    .describe(
      'qdq: pairs of QuantizeLinear and DequantizeLinear, which every runtime reads; qoperator: integer operators, as onnxruntime fuses them',
    ),
  exclude: z.array(z.string()).default([]).describe('Layers that stay in float, by name'),
  excludeOps: z.array(z.string()).default([]).describe('Operators that stay in float'),
  rest: z.boolean().default(false).describe('Quantize what a quantized model still has in float'),
  maxDrop: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('Largest accuracy that may be lost, 0 to 1; layers return to float until it is met'),
  validation: z
    .number()
    .min(0)
    .default(0.1)
    .describe('Share or number of training samples kept out to check accuracy with'),
  checkSamples: z.number().int().min(1).default(2000).describe('Most samples that accuracy is checked with'),
  budget: z
    .string()
    .refine(
      (text) => parseQuantizeBudget(text) !== undefined,
      'expected bytes or latency, as in bytes=40% or latency=3ms',
    )
    .optional()
    .describe(
      'The most that the result may take: bytes=40% or latency=3ms; every layer gets the precision that harms least within it',
    ),
  diagnose: z.boolean().default(true).describe('Measure the signal-to-noise ratio of every layer'),
  diagnoseSamples: z.number().int().min(1).default(32),
  portability: z
    .boolean()
    .default(true)
    .describe('Simulate processors with AVX2 but no VNNI, where sums of u8·s8 pairs saturate, and warn'),
  optimize: z
    .enum(['size', 'latency'])
    .default('size')
    .describe('latency: keep layers in float that are faster so here, and never end slower than the float model'),
  bits: z
    .union([z.literal(4), z.literal(8)])
    .default(4)
    .describe('Of weights, where only weights are quantized'),
  blockSize: z
    .union([z.literal(16), z.literal(32), z.literal(64), z.literal(128), z.literal(256)])
    .default(32)
    .describe('Weights that share a scale, where only weights are quantized'),
  symmetricBlocks: z.boolean().default(true).describe('Blocks without a zero point of their own'),
  method: z
    .enum(['rtn', 'mse', 'gptq'])
    .default('mse')
    .describe('How block weights are rounded: to nearest, with the clip of least error, or by GPTQ (needs data)'),
  actOrder: z.boolean().default(false).describe('GPTQ: columns with the largest curvature first'),
  blockFormat: z.enum(['matmulnbits', 'dequantize']).default('matmulnbits'),
  convolutions: z
    .boolean()
    .default(false)
    .describe('dynamic and weights: convolutions too, which makes them smaller but not faster'),
})
export type QuantizeOptions = z.output<typeof QuantizeOptions>

/** The scheme that the options ask for. */
export const schemeOf = (options: SchemeOptions): StaticScheme => ({
  activations: options.activations,
  symmetricActivations: options.symmetricActivations || options.activations.startsWith('i'),
  weights: options.weights,
  perChannel: options.perChannel,
  reduceRange: options.reduceRange,
  bias: options.bias,
  weightRange: options.weightRange,
  ...(options.weightBits === undefined ? {} : { weightBits: options.weightBits }),
})

/** The operator set that a scheme needs: 16-bit and 4-bit types came with 21, scales per channel with 13. */
export const opsetFor = ({ activations, weights }: SchemeOptions): number =>
  activations.endsWith('16') || weights === 'i4' ? 21 : 13
