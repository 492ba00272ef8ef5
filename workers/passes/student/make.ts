import { AlambicError } from '../../protocol/errors.ts'
import type { Graph } from '../../graph/graph.ts'
import { costOf } from '../../ops/cost.ts'
import { lighten } from './light.ts'
import { shallow } from './shallow.ts'
import { thin } from './thin.ts'

/** A student and how it came of its teacher, for people. */
export interface Made {
  readonly graph: Graph
  readonly changes: readonly string[]
  /** What stayed as it was, and why. */
  readonly kept: readonly string[]
}

interface Maker {
  readonly title: string
  readonly source: string
  /** What its number means and is unless given; absent for those without one. */
  readonly number?: { readonly text: string; readonly value: number }
  readonly make: (graph: Graph, value: number, seed: number) => Made
}

/** Ways to make a student of the teacher's own graph, by the name that `--make` takes. */
export const makers = {
  thin: {
    title: 'Thinner: a share of the channels of every layer',
    source: 'Fang et al. 2023, arXiv:2301.12900',
    number: { text: 'share of the width that stays', value: 0.5 },
    make: (graph, width) => thin(graph, width),
  },
  shallow: {
    title: 'Shallower: residual blocks left out',
    source: 'Sanh et al. 2019, arXiv:1910.01108',
    number: { text: 'share of the residual blocks that goes', value: 0.5 },
    make: (graph, share) => shallow(graph, share),
  },
  separable: {
    title: 'Depthwise-separable convolutions, from the teacher’s weights',
    source: 'Howard et al. 2017, arXiv:1704.04861; Guo et al. 2018, arXiv:1808.05517',
    make: (graph, _value, seed) => lighten(graph, 'separable', seed),
  },
  fire: {
    title: 'Fire modules in the place of convolutions',
    source: 'Iandola et al. 2016, arXiv:1602.07360',
    make: (graph, _value, seed) => lighten(graph, 'fire', seed),
  },
  shuffle: {
    title: 'Shuffle units in the place of convolutions',
    source: 'Zhang et al. 2018, arXiv:1707.01083',
    make: (graph, _value, seed) => lighten(graph, 'shuffle', seed),
  },
} as const satisfies Readonly<Record<string, Maker>>

export type MakerId = keyof typeof makers

/** True for what `makeStudent` understands: `thin:0.5`, `shallow`, `thin:0.75+separable`, `auto`. */
export const isRecipe = (text: string): boolean =>
  text === 'auto' || text.split('+').every((part) => Object.hasOwn(makers, part.split(':')[0] ?? ''))

/**
 * A student made of its teacher's graph, by one maker or several with `+` between; `auto` takes the first that
 * makes it a quarter smaller at least: thin:0.5, separable, shallow.
 *
 * @throws AlambicError `student.unknown`, and what the makers throw where a graph has nothing for them to do
 */
export function makeStudent(teacher: Graph, recipe: string, seed: number): Made {
  if (recipe === 'auto') return automatic(teacher, seed)
  return recipe.split('+').reduce<Made>(
    (made, part) => {
      const next = apply(made.graph, part, seed)
      return { graph: next.graph, changes: [...made.changes, ...next.changes], kept: [...made.kept, ...next.kept] }
    },
    { graph: teacher, changes: [], kept: [] },
  )
}

function apply(graph: Graph, part: string, seed: number): Made {
  const [id = '', text] = part.split(':')
  const maker: Maker | undefined = Object.hasOwn(makers, id) ? makers[id as MakerId] : undefined
  const value = text === undefined ? (maker?.number?.value ?? 1) : Number(text)
  const takes = text === undefined || (maker?.number !== undefined && value > 0 && value < 1)
  if (maker && takes) return maker.make(graph, value, seed)
  throw new AlambicError('student.unknown', `"${part}" is no way to make a student`, {
    subject: part,
    expected: Object.entries<Maker>(makers)
      .map(([name, { number }]) => (number ? `${name}:${number.value} (${number.text}, between 0 and 1)` : name))
      .join(', '),
    found: part,
  })
}

const tried = ['thin:0.5', 'separable', 'shallow:0.5'] as const

function automatic(teacher: Graph, seed: number): Made {
  const before = costOf(teacher, {}).params
  const reasons: string[] = []
  for (const recipe of tried) {
    try {
      const made = makeStudent(teacher, recipe, seed)
      const { params } = costOf(made.graph, {})
      if (params <= 0.75 * before) return made
      reasons.push(`${recipe}: ${params} of ${before} parameters would be left`)
    } catch (thrown) {
      if (!(thrown instanceof AlambicError)) throw thrown
      reasons.push(`${recipe}: ${thrown.message}`)
    }
  }
  throw new AlambicError('student.auto', 'no student of this model comes out much smaller', {
    expected: 'at most three quarters of the parameters',
    found: reasons.join('; '),
    fix: 'Name a student: a net of the zoo or a file.',
  })
}
