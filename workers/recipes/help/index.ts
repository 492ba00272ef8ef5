import { distillation } from './distillation.ts'
import { pruning } from './pruning.ts'
import { quantization } from './quantization.ts'
import { search } from './search.ts'
import { training } from './training.ts'
import { weights } from './weights.ts'
import type { MethodPage } from './words.ts'

export { words, type MethodPage } from './words.ts'

/** The page of every method, by its step's id. */
export const pages = {
  ...training,
  ...distillation,
  ...pruning,
  ...weights,
  ...quantization,
  ...search,
} as const satisfies Readonly<Record<string, MethodPage>>

export type MethodId = keyof typeof pages
