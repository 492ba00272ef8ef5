import type { Report, WireError } from '../worker.ts'
import type { SampleImage } from './run.ts'

/** The same text in every language of the studio. */
export interface Words {
  readonly en: string
  readonly 'zh-CN': string
}

/** What a field of a form can hold: what a step's schema says, as data. */
export type FieldType =
  | {
      readonly kind: 'number'
      readonly integer: boolean
      /** Bounds; with `above` and `below` the bound itself is not allowed. */
      readonly min?: number
      readonly max?: number
      readonly above?: number
      readonly below?: number
      readonly multipleOf?: number
    }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'choice'; readonly values: readonly (string | number | boolean)[] }
  | { readonly kind: 'text' }
  | { readonly kind: 'list'; readonly of: FieldType; readonly min?: number; readonly max?: number }
  /** A value for each of some names, such as patterns of layer names. */
  | { readonly kind: 'table'; readonly of: FieldType }
  | { readonly kind: 'object'; readonly fields: readonly Field[]; readonly open: boolean }
  | { readonly kind: 'union'; readonly variants: readonly { readonly type: FieldType; readonly hint?: Words }[] }

export interface Field {
  readonly name: string
  readonly label: Words
  readonly hint?: Words
  /** Simple ones are shown to everybody, the others in the mode for experts, or when they are set. */
  readonly level: 'simple' | 'expert'
  readonly required: boolean
  readonly default?: unknown
  readonly type: FieldType
}

/** A method, as forms, help pages and the command line show it. */
export interface MethodInfo {
  readonly id: string
  readonly family: string
  readonly title: Words
  readonly help: Words
  /** What it does, in some sentences. */
  readonly does: Words
  /** When it helps, and when it does not. */
  readonly helps: readonly Words[]
  readonly not: readonly Words[]
  /** What is often said of it and is not so. */
  readonly corrections: readonly Words[]
  /** What its picture shows. */
  readonly picture: Words
  /** The papers or specifications that it follows. */
  readonly source: string
  /** It looks at the model before anything runs. */
  readonly preflight: boolean
  /** The field that says what is different for single layers, where there is one. */
  readonly layers?: string
  readonly fields: readonly Field[]
}

/** A recipe that comes with Alambic. */
export interface BuiltinRecipe {
  readonly name: string
  readonly title: Words
  readonly steps: readonly string[]
  readonly yaml: string
}

export interface Methods {
  readonly steps: readonly MethodInfo[]
  readonly recipes: readonly BuiltinRecipe[]
}

/** Something about a recipe, at a field. Errors keep it from running, warnings do not. */
export interface RecipeIssue {
  readonly severity: 'error' | 'warning'
  /** From the recipe's root: `['steps', 0, 'epochs']`. */
  readonly path: readonly (string | number)[]
  readonly code: string
  readonly message: string
}

/** What would become of the model after a step. What is not known is absent; nothing here was measured. */
export interface StepEstimate {
  readonly params?: number
  readonly macs?: number
  /** Of the ONNX file. */
  readonly bytes?: number
  /** Least and most milliseconds that the step takes. */
  readonly time?: readonly [number, number]
  /** Most bytes that it holds at a time. */
  readonly memory?: number
  /** How the numbers were made, or why there are none: keys of phrases. */
  readonly basis: readonly string[]
}

export interface RecipeEstimate {
  readonly before: StepEstimate
  /** One for each step. */
  readonly steps: readonly StepEstimate[]
  /** Milliseconds for one sample: measured here, and of the result if it takes as much less as it has fewer MACs. */
  readonly latency?: { readonly before: number; readonly after?: number }
}

/** A file of a project's `recipes` folder. */
export interface RecipeFileInfo {
  /** The name of the file. */
  readonly file: string
  readonly name: string
  readonly title: string
  readonly steps: readonly string[]
  /** ISO 8601. */
  readonly modified: string
  readonly yaml: string
  /** The SHA-256 of the file, to notice that somebody else changed it. */
  readonly hash: string
  readonly problem?: WireError
}

/** A sample as it is stored and as a model would see it. */
export interface PreviewSample {
  readonly index: number
  readonly label?: string
  readonly image?: SampleImage
  /** After preprocessing, spread over 0–255 from the least to the largest value of all samples. */
  readonly seen?: SampleImage
  /** Of the preprocessed values. */
  readonly range: readonly [number, number]
}

/** How good a model is on some samples, before anything is done to it. */
export interface BaselineReport {
  readonly accuracy: number
  /** Its binomial standard error. */
  readonly error: number
  readonly n: number
  readonly classes: number
  readonly chance: number
  /** No better than guessing, as far as so many samples can tell. */
  readonly nearChance: boolean
  readonly preprocessing: Report
  readonly dataHash: string
  /** Another way to feed the model that does notably better. */
  readonly better?: { readonly way: string; readonly accuracy: number; readonly preprocessing: Report }
}

export interface PreviewReport {
  readonly samples: readonly PreviewSample[]
  readonly counts: Readonly<Record<string, number>>
  readonly classes?: readonly string[]
  /** Of the preprocessed values of all samples shown. */
  readonly mean: number
  readonly std: number
  readonly dims: readonly number[]
  readonly preprocessing: Report
}
