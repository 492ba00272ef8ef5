import { shell } from './en/shell.ts'
import { graph } from './en/graph.ts'
import { inspect } from './en/inspect.ts'
import { projects } from './en/projects.ts'
import { recipes } from './en/recipes.ts'
import { runs } from './en/runs.ts'
import { settings } from './en/settings.ts'
import { kit } from './en/kit.ts'
import { compare } from './en/compare.ts'
import { results } from './en/results.ts'
import { methodResults } from './en/method-results.ts'
import { models } from './en/models.ts'

/** Every phrase of the screens in English; zh-CN.ts has the same keys, and a test compares the two. */
export const en = {
  ...shell,
  ...projects,
  ...recipes,
  ...runs,
  ...settings,
  ...kit,
  ...compare,
  ...methodResults,
  ...models,
  ...graph,
  ...inspect,
  ...results,
}
