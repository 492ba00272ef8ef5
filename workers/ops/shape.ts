import type { OpType } from '../graph/schema.ts'
import { asTensor } from '../graph/types.ts'
import { COMPOSITES } from './composites.ts'
import { alambic } from './shape/alambic.ts'
import type { Call, LooseTypeRules, OutputTypes, TypeRule, TypeRules } from './shape/call.ts'
import { control } from './shape/control.ts'
import { conv } from './shape/conv.ts'
import { elementwise } from './shape/elementwise.ts'
import { generate } from './shape/generate.ts'
import { indexing } from './shape/indexing.ts'
import { known, type KnownRule, type KnownRules } from './shape/known.ts'
import { manipulate } from './shape/manipulate.ts'
import { matmul } from './shape/matmul.ts'
import { microsoft } from './shape/microsoft.ts'
import { normalization } from './shape/normalization.ts'
import { pool } from './shape/pool.ts'
import { quantization } from './shape/quantization.ts'
import { recurrentLayers } from './shape/recurrent.ts'
import { reduce } from './shape/reduce.ts'

/** What the outputs of every operator are, given its inputs: dtypes, shapes, as far as they can be known. */
export const typeRules = {
  ...elementwise,
  ...conv,
  ...pool,
  ...matmul,
  ...reduce,
  ...manipulate,
  ...indexing,
  ...normalization,
  ...recurrentLayers,
  ...quantization,
  ...generate,
  ...control,
} satisfies TypeRules

const list = 'it works on a list of tensors; Alambic knows the types of single tensors only'
const optional = 'its value may be absent; Alambic knows the types of tensors that are always there'

/** Operators whose outputs stay of unknown type, with the reason that people read. */
export const notCovered: Readonly<Record<Exclude<OpType, keyof typeof typeRules>, string>> = {
  ConcatFromSequence: list,
  Optional: optional,
  OptionalGetElement: optional,
  OptionalHasElement: optional,
  SequenceAt: list,
  SequenceConstruct: list,
  SequenceEmpty: list,
  SequenceErase: list,
  SequenceInsert: list,
  SequenceLength: list,
  SequenceMap: list,
  SplitToSequence: list,
}

const standard = typeRules as unknown as LooseTypeRules
const standardKnown: Readonly<Record<string, KnownRule<unknown>>> = known satisfies KnownRules as never

const domains: Readonly<Record<string, LooseTypeRules>> = {
  // onnxruntime writes some of its fused operators into the default domain.
  '': { ...microsoft, ...standard },
  'ai.onnx': standard,
  'com.microsoft': microsoft,
  [COMPOSITES]: alambic,
}

const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined

/** The type rule of an operator; undefined when nothing is known of its outputs. */
export const typeRuleOf = (op: string, domain: string): TypeRule | undefined => {
  const table = own(domains, domain)
  return table && own(table, op)
}

/** What a rule says of a call, once it is sure that tensors of such sizes can exist. */
export function applyRule(rule: TypeRule, call: Call): OutputTypes {
  const types = rule(call)
  for (const [i, type] of types.entries()) {
    const impossible = asTensor(type)?.shape?.find((d) => typeof d === 'number' && !(Number.isInteger(d) && d >= 0))
    if (impossible === undefined || !call.node.outputs[i]) continue
    throw call.contradiction(
      `its output "${call.node.outputs[i]}" would have the size ${impossible}`,
      'sizes of at least 0',
    )
  }
  return types
}

/** The rule that finds an operator's output elements from known input elements. */
export const knownRuleOf = (op: string, domain: string): KnownRule<unknown> | undefined =>
  domain === '' || domain === 'ai.onnx' ? own(standardKnown, op) : undefined
