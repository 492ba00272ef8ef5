import { shell } from './zh-CN/shell.ts'
import { graph } from './zh-CN/graph.ts'
import { inspect } from './zh-CN/inspect.ts'
import { projects } from './zh-CN/projects.ts'
import { recipes } from './zh-CN/recipes.ts'
import { runs } from './zh-CN/runs.ts'
import { settings } from './zh-CN/settings.ts'
import { kit } from './zh-CN/kit.ts'
import { compare } from './zh-CN/compare.ts'
import { results } from './zh-CN/results.ts'
import { methodResults } from './zh-CN/method-results.ts'
import { models } from './zh-CN/models.ts'
import type { Messages } from './phrases.ts'

/** 简体中文。键与 en.ts 相同；指标名、算子名不翻译。 */
export const zhCN: Messages = {
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
