import type { Cases } from './case.ts'
import { containerCases } from './container-cases.ts'
import { graphCases } from './graph-cases.ts'
import { tensorCases } from './tensor-cases.ts'

/** Crafted files, each with what must come of it; the front door's promise in examples. */
export const corpus: Cases = { ...containerCases, ...tensorCases, ...graphCases }
