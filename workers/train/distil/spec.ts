import { z } from 'zod'
import { nearestNames } from '../../graph/nearest.ts'
import type { Schedule } from '../schedules.ts'
import { terms, type Term, type TermId } from './terms.ts'

const NamedPair = z.strictObject({ student: z.string().min(1), teacher: z.string().min(1) })

/** What every term can be told beside its own options. */
const Common = z.strictObject({
  weight: z.number().min(0).optional().describe("The paper's own unless given"),
  rampUp: z.number().min(0).max(1).default(0).describe('Share of the run over which the weight rises from 0'),
  fadeOut: z.number().min(0).max(1).default(0).describe('Share at the end of the run over which the weight falls to 0'),
  pairs: z
    .union([z.enum(['auto', 'stage', 'depth', 'penultimate']), z.array(NamedPair).min(1)])
    .optional()
    .describe('Layers of student and teacher: found by equal size, by depth, or named'),
})

/** A term of a distillation loss with its options checked and every default but the weight filled in. */
export type TermSpec = z.output<typeof Common> & {
  readonly term: TermId
  readonly options: Readonly<Record<string, unknown>>
}

/**
 * A term as recipes write it: `kd`, `at:1000` (with its weight), or an object of `term`, its own options and the
 * common ones. The result can be read again.
 */
export const TermSpec = z
  .union([z.string(), z.looseObject({ term: z.string() })])
  .transform((given, context): Readonly<Record<string, unknown>> & { term: TermId } => {
    const { term: id, ...rest } = typeof given === 'string' ? fromText(given) : given
    if (!Object.hasOwn(terms, id)) {
      const nearest = nearestNames(id, Object.keys(terms), 1)[0] ?? ''
      const message = `there is no loss "${id}"; did you mean "${nearest}"? All: ${Object.keys(terms).join(', ')}`
      context.addIssue({ code: 'custom', message, path: ['term'] })
      return z.NEVER
    }
    const checked = schemaOf(id as TermId).safeParse(rest)
    if (checked.success) return { term: id as TermId, ...checked.data }
    for (const { message, path } of checked.error.issues) context.addIssue({ code: 'custom', message, path: [...path] })
    return z.NEVER
  })

const schemaOf = (id: TermId) => Common.extend(describe(id).options.shape)

function fromText(text: string): { term: string; weight?: number } {
  const [term = '', weight] = text.split(':')
  return weight === undefined ? { term } : { term, weight: Number(weight) }
}

/** The entry of a term, whatever its options are. */
export const describe = (id: TermId): Term => terms[id]

/** Takes what a recipe holds apart: the common fields, and the term's own options. */
export function specOf(written: z.output<typeof TermSpec>): TermSpec {
  const { term, weight, rampUp, fadeOut, pairs, ...options } = written
  return { term, options, ...Common.parse({ weight, rampUp, fadeOut, pairs }) }
}

/** The factor of a term's weight over the run; undefined where it never changes. */
export function rampOf({ rampUp, fadeOut }: TermSpec): Schedule | undefined {
  if (rampUp === 0 && fadeOut === 0) return undefined
  return (step, total) => {
    const up = rampUp === 0 ? 1 : Math.min(1, (step + 1) / (rampUp * total))
    const down = fadeOut === 0 ? 1 : Math.min(1, (total - step) / (fadeOut * total))
    return Math.min(up, down)
  }
}
