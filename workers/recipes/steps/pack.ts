import { z } from 'zod'
import { withUniqueNodeNames } from '../../graph/node-names.ts'
import { encodeModel } from '../../onnx/index.ts'
import { pack } from '../../pack/index.ts'
import { step } from '../step.ts'

const PackOptions = z.strictObject({
  indexBits: z
    .number()
    .int()
    .min(1)
    .max(11)
    .optional()
    .describe('Bits of a gap between weights; the best for each tensor unless given'),
})

export const packing = step({
  id: 'pack',
  family: 'clustering',
  source: 'Han, Mao & Dally 2016, arXiv:1510.00149; CMPZ.md',
  options: PackOptions,
  run: async ({ model }, options) => {
    const { chunks, report } = pack(encodeModel({ ...model, graph: withUniqueNodeNames(model.graph) }), options)
    return { model, report: { packed: report }, artifacts: { 'model.cmpz': chunks } }
  },
})
