import type { FieldValue, ModelInfo, ModelPlace, RunFields, RunSummary } from '../../../workers/protocol/studio.ts'
import type { Report } from '../../../workers/protocol/worker.ts'
import { modelItemId, runItemId } from './choice.ts'

/** Something that can be compared: a run with the model that it made, or a model by itself. */
export interface Item {
  /** `run:<key>` or `model:<project>/<id>`. */
  readonly id: string
  readonly title: string
  readonly project: string
  readonly place?: ModelPlace
  readonly run?: string
  readonly recipe: string
  readonly state?: RunSummary['state']
  readonly created: string
  /** Keys as of `compress --json`. */
  readonly measured?: Report
  readonly fields: Readonly<Record<string, FieldValue>>
  readonly best?: number
  readonly last?: number
}

interface Sources {
  readonly runs: readonly RunSummary[]
  readonly fields: ReadonlyMap<string, RunFields>
  /** Models of every project. */
  readonly models: ReadonlyMap<string, readonly ModelInfo[]>
  readonly projectName: (project: string) => string
}

/** Everything that can be compared, newest first: all runs, and the models that no listed run has made. */
export function itemsOf({ runs, fields, models, projectName }: Sources): Item[] {
  const known = new Map([...models].map(([project, list]) => [project, new Map(list.map((one) => [one.model, one]))]))
  const made = new Set<string>()
  const fromRuns = runs.map((run): Item => {
    const own = fields.get(run.run)
    const output = run.output === undefined ? undefined : known.get(run.project)?.get(run.output)
    const place = output ? { project: run.project, model: output.model } : undefined
    if (place) made.add(modelItemId(place))
    const measured = output?.measured ?? run.result
    return {
      id: runItemId(run.run),
      title: run.title,
      project: projectName(run.project),
      ...(place ? { place } : {}),
      run: run.run,
      recipe: run.recipe.name,
      state: run.state,
      created: run.created,
      ...(measured ? { measured } : {}),
      fields: own?.fields ?? {},
      ...(own?.best === undefined ? {} : { best: own.best }),
      ...(own?.last === undefined ? {} : { last: own.last }),
    }
  })
  const alone = [...models].flatMap(([project, list]) =>
    list
      .filter(({ model, problem }) => !problem && !made.has(modelItemId({ project, model })))
      .map((model) => modelItem(project, model, projectName(project))),
  )
  return [...fromRuns, ...alone].toSorted((a, b) => b.created.localeCompare(a.created))
}

const modelItem = (project: string, model: ModelInfo, projectName: string): Item => ({
  id: modelItemId({ project, model: model.model }),
  title: model.name,
  project: projectName,
  place: { project, model: model.model },
  recipe: model.origin.kind === 'run' ? model.origin.recipe : '',
  created: model.added,
  measured: {
    bytes: model.bytes,
    ...(model.params === undefined ? {} : { params: model.params }),
    ...(model.macs === undefined ? {} : { macs: model.macs }),
    ...model.measured,
  },
  fields: {},
})

/** Names of fields, those that differ among items or all; the ones that most items have come first. */
export function fieldNames(items: readonly Item[], onlyDiffering: boolean): string[] {
  const values = new Map<string, { readonly seen: Set<FieldValue>; count: number }>()
  for (const { fields } of items) {
    for (const [name, value] of Object.entries(fields)) {
      const known = values.get(name) ?? { seen: new Set<FieldValue>(), count: 0 }
      known.seen.add(value)
      known.count++
      values.set(name, known)
    }
  }
  const runs = items.filter(({ fields }) => Object.keys(fields).length > 0).length
  return [...values]
    .filter(([, { seen, count }]) => !onlyDiffering || seen.size > 1 || count < runs)
    .toSorted(([a, x], [b, y]) => y.count - x.count || a.localeCompare(b, 'en', { numeric: true }))
    .map(([name]) => name)
}
