import { AlambicError } from '../../protocol/errors.ts'
import type { Graph } from '../../graph/graph.ts'
import { featurePoints, findPoint, stagesOf, type FeaturePoint, type Stage } from './points.ts'

/** A value of the student and the value of the teacher that it learns from. */
export interface Pair {
  readonly student: FeaturePoint
  readonly teacher: FeaturePoint
}

/** Names of a pair, as a person gives them. */
export interface NamedPair {
  readonly student: string
  readonly teacher: string
}

/**
 * How pairs are found: `stage` takes those of equal spatial size, `depth` the nearest relative depth, `penultimate`
 * the last vector before the output, `auto` stages and, where none is equal, depth.
 */
export type PairingMode = 'auto' | 'stage' | 'depth' | 'penultimate'

/** Both nets with all their types inferred. */
export interface Nets {
  readonly student: Graph
  readonly teacher: Graph
}

/** @throws AlambicError `distil.no-pairs` with the stages of both nets where none fit */
export function findPairs(nets: Nets, how: PairingMode | readonly NamedPair[]): readonly Pair[] {
  if (typeof how !== 'string') {
    return how.map((pair) => ({
      student: findPoint(nets.student, pair.student, 'student'),
      teacher: findPoint(nets.teacher, pair.teacher, 'teacher'),
    }))
  }
  const sides = { student: sideOf(nets.student), teacher: sideOf(nets.teacher) }
  const pairs = modes[how](sides)
  if (pairs.length === 0) throw noPairs(how, sides)
  return pairs
}

interface Side {
  readonly points: readonly FeaturePoint[]
  readonly stages: readonly Stage[]
}
interface Sides {
  readonly student: Side
  readonly teacher: Side
}

function sideOf(graph: Graph): Side {
  const points = featurePoints(graph)
  return { points, stages: stagesOf(points) }
}

const modes: Readonly<Record<PairingMode, (sides: Sides) => readonly Pair[]>> = {
  auto: (sides) => {
    const equal = byStage(sides).filter(({ student }) => student.dims.length > 1)
    return equal.length > 0 ? equal : byDepth(sides)
  },
  stage: byStage,
  depth: byDepth,
  penultimate: ({ student, teacher }) => {
    const [s, t] = [lastVector(student), lastVector(teacher)]
    return s && t ? [{ student: s, teacher: t }] : []
  },
}

/** Maps and vectors of equal size, in order; tokens by depth, for they all have one size. */
function byStage(sides: Sides): readonly Pair[] {
  const spatial = (side: Side) => side.stages.filter(({ size }) => size !== 'tokens')
  const others = [...spatial(sides.teacher)]
  const pairs = spatial(sides.student).flatMap(({ size, point }) => {
    const at = others.findIndex((stage) => stage.size === size)
    if (at < 0) return []
    const [found] = others.splice(0, at + 1).slice(-1)
    return found ? [{ student: point, teacher: found.point }] : []
  })
  return pairs.length > 0 ? pairs : byDepth(onlyTokens(sides))
}

const onlyTokens = ({ student, teacher }: Sides): Sides => {
  const tokens = (side: Side): Side => ({ ...side, stages: side.stages.filter(({ size }) => size === 'tokens') })
  return { student: tokens(student), teacher: tokens(teacher) }
}

/** A token net has a point behind every small operator: so many pairs at most, spread over its depth. */
const MOST = 4

/** Every stage of the shorter net with the stage of the other at the same share of the way, of the same rank. */
function byDepth({ student, teacher }: Sides): readonly Pair[] {
  const count = Math.min(student.stages.length, teacher.stages.length, MOST)
  const at = (side: Side, i: number) => side.stages[Math.round(((i + 1) / count) * side.stages.length) - 1]?.point
  return Array.from({ length: count }, (_, i) => i).flatMap((i) => {
    const [s, t] = [at(student, i), at(teacher, i)]
    return s && t && s.dims.length === t.dims.length ? [{ student: s, teacher: t }] : []
  })
}

const lastVector = ({ points }: Side): FeaturePoint | undefined =>
  points.findLast(({ dims }) => dims.length === 1 || dims.slice(1).every((d) => d === 1)) ?? points.at(-1)

const shown = ({ stages }: Side): string =>
  stages.map(({ size, point }) => `${point.value} (${size === 'tokens' ? point.dims.join('×') : size})`).join(', ') ||
  'none'

const noPairs = (how: PairingMode, { student, teacher }: Sides): AlambicError =>
  new AlambicError('distil.no-pairs', `no layers of student and teacher can be paired by ${how}`, {
    subject: how,
    expected: `stages like the teacher's: ${shown(teacher)}`,
    found: `the student's: ${shown(student)}`,
    fix: 'Name pairs yourself (--pair student=teacher), pair by depth, or use a loss on outputs such as kd.',
  })
