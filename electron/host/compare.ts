import type { z } from 'zod'
import type { FieldValue, RunFields, StudioCall, StudioResults, studioCalls } from '../../workers/protocol/studio.ts'
import type { Report } from '../../workers/protocol/worker.ts'
import { defined } from './defined.ts'
import type { Host } from './host.ts'
import { inOwnProcess } from './jobs.ts'
import { dataOf } from './new-run.ts'
import type { RunEntry } from './run.ts'

type Request<Name extends StudioCall> = z.output<(typeof studioCalls)[Name]>
type Place = Request<'compareModels'>['models'][number]
type Data = Request<'predictions'>['data']

const pathOf = (host: Host, { project, model }: Place): string => host.project(project).models.path(model)

const referenceOf = (host: Host, { project, choice }: Data): string => dataOf(host.project(project), choice).reference

/** Holding models and runs against each other. */
export const comparing = {
  compareModels: async (host: Host, { job, models, data, ...how }: Request<'compareModels'>) => {
    const question = {
      models: models.map((place) => pathOf(host, place)),
      ...how,
      ...(data ? { data: referenceOf(host, data) } : {}),
    }
    const { rows } = await host.jobs.run(job, (work) => inOwnProcess(work, 'compare', question))
    const measured = (rows as readonly (Report & { model: string })[]).map(({ model: _path, ...row }) => row)
    return Promise.all(models.map((place, i) => keep(host, place, measured[i] ?? {})))
  },
  predictions: async (host: Host, { job, models, data, split }: Request<'predictions'>) => {
    const question = { models: models.map((place) => pathOf(host, place)), data: referenceOf(host, data), split }
    const report = await host.jobs.run(job, (work) => inOwnProcess(work, 'predictions', question))
    const found = report as unknown as StudioResults['predictions']
    return { ...found, models: found.models.map((row, i) => ({ ...row, ...(models[i] as Place) })) }
  },
  embedding: async (host: Host, { job, models, data, ...what }: Request<'embedding'>) => {
    const question = { models: models.map((place) => pathOf(host, place)), data: referenceOf(host, data), ...what }
    const report = await host.jobs.run(job, (work) => inOwnProcess(work, 'embedding', question))
    return report as unknown as StudioResults['embedding']
  },
  pictures: async (host: Host, { data, split, indices }: Request<'pictures'>) => {
    const report = await host.inspector.call('pictures', { data: referenceOf(host, data), split, indices })
    return report['pictures'] as StudioResults['pictures']
  },
  diffModels: async (host: Host, { before, after }: Request<'diffModels'>) =>
    (await host.inspector.call('diff', {
      before: pathOf(host, before),
      after: pathOf(host, after),
    })) as unknown as StudioResults['diffModels'],
  runFields: async (host: Host, { project }: Request<'runFields'>) => {
    const projects = project === undefined ? [...host.projects.values()] : [host.project(project)]
    return projects.flatMap(({ runs }) => [...runs.values()].map(fieldsOf))
  },
}

/**
 * Keeps what was measured with the model, where the project may be written to: it is known the next time. What a run
 * said of it beside (its stages) stays.
 */
async function keep(host: Host, place: Place, measured: Report): Promise<StudioResults['compareModels'][number]> {
  const project = host.project(place.project)
  if (!project.isHeld) return { ...place, measured }
  const before = project.models.get(place.model).measured ?? {}
  // Without data accuracy was not measured anew; what was known of it, and with which data, stays true.
  const known = measured['accuracy'] === undefined && before['accuracy'] !== undefined
  const kept = known ? { ...before, packedBytes: measured['packedBytes'] } : { ...before, ...measured }
  await project.models.measured(place.model, kept)
  host.hub.emit({ kind: 'contents', project: project.id, what: 'models' })
  host.showProject(project)
  return { ...place, measured }
}

/** Fields whose values are told by the run itself, or say where files are on this machine. */
const left: ReadonlySet<string> = new Set(['folder', 'output', 'resume', 'recipe', 'set', 'model', 'data'])

export function fieldsOf({ key, record, notes }: RunEntry): RunFields {
  const fields: Record<string, FieldValue> = {
    model: notes.model.name,
    data: notes.data.name,
    recipe: notes.recipe.name,
  }
  for (const [name, value] of Object.entries(record.request)) if (!left.has(name)) put(fields, name, value)
  const { steps } = record.recipe as { steps?: readonly ({ step?: string } & Report)[] }
  steps?.forEach(({ step, ...options }, i) => put(fields, `${i + 1} ${step ?? ''}`, options))
  const seen = record.steps.flatMap(({ report }) => accuracies(report))
  return defined({ run: key, fields, best: seen.length > 0 ? Math.max(...seen) : undefined, last: seen.at(-1) })
}

/** Longest text of a field: what is longer is read in the run itself. */
const LONGEST = 200

function put(fields: Record<string, FieldValue>, name: string, value: unknown): void {
  if (value === undefined || value === null) return
  if (typeof value === 'number' || typeof value === 'boolean') fields[name] = value
  else if (typeof value === 'string') fields[name] = value.slice(0, LONGEST)
  else if (Array.isArray(value)) fields[name] = JSON.stringify(value).slice(0, LONGEST)
  else for (const [key, inner] of Object.entries(value)) put(fields, `${name}.${key}`, inner)
}

const accuracies = (report: Report): number[] =>
  ((report['history'] ?? []) as readonly { validation?: { accuracy?: number } }[]).flatMap(
    ({ validation }) => validation?.accuracy ?? [],
  )
