import { AlambicError } from '../../protocol/errors.ts'
import type { Bridge, PairReport } from '../../protocol/files/methods.ts'
import type { Graph, Value } from '../../graph/graph.ts'
import { asTensor } from '../../graph/types.ts'
import { Emitter } from '../../ops/emit.ts'
import { inferTypes } from '../../ops/infer.ts'
import type { LossContext, LossTerm } from '../losses.ts'
import { LABELS } from '../losses.ts'
import { prepare } from '../prepare.ts'
import { withBatch } from './batch.ts'
import { findPairs, type Nets, type Pair } from './pairing.ts'
import { describe, rampOf, type TermSpec } from './spec.ts'
import type { Adapted, Sides } from './terms.ts'

/** A value that the teacher puts out for every batch, and the batch input of the step graph that it goes to. */
export interface TeacherTap {
  readonly feed: string
  readonly value: string
}

export interface DistillationPlan {
  /** The student with its adapters and the values that are compared as further outputs; batch bound. */
  readonly training: Graph
  readonly losses: readonly LossTerm[]
  /** The teacher with what the losses ask for as its outputs, in the order of `taps`. */
  readonly teacher: Graph
  readonly taps: readonly TeacherTap[]
  readonly pairing: readonly PairReport[]
  /** Terms that compare the nets' first outputs. */
  readonly outputs: readonly string[]
}

export interface PlanOptions {
  readonly student: Graph
  /** Without a Softmax at its end. */
  readonly teacher: Graph
  readonly terms: readonly TermSpec[]
  readonly batch: number
  readonly seed: number
}

/** Names of everything that exists only in training start with this. */
const PREFIX = 'distil'
const feedOf = (value: string): string => `teacher.${value}`

/**
 * Joins a student to what it learns from. Pairs are found, adapters are added to the student's training graph, and
 * every term becomes a loss of the step graph. Weights of adapters are not among the student's own, so they can't get
 * into the exported model.
 */
export function planDistillation({ student, teacher, terms, batch, seed }: PlanOptions): DistillationPlan {
  const nets: Nets = { student: inferTypes(student), teacher: inferTypes(teacher) }
  const paired = terms.map((spec) => ({ spec, pairs: pairsOf(nets, spec) }))
  const values = paired.flatMap(({ pairs }) => pairs.map((pair) => pair.student.value))
  const g = new Emitter(prepare(withOutputs(nets.student, values), { batch }))
  const taps = new Taps(nets.teacher, batch)
  const pairing: PairReport[] = []
  const losses = paired.map(({ spec, pairs }) => {
    const adapted = pairs.map((pair, i) => adapt(g, spec, pair, { name: `${PREFIX}.${spec.term}.${i}`, seed }))
    pairs.forEach((pair, i) => pairing.push(reportOf(spec, pair, adapted[i] as Adapted)))
    return lossOf(spec, pairs, adapted, taps)
  })
  const outputs = terms.flatMap(({ term }) => (describe(term).needs === 'logits' ? [term] : []))
  return { training: g.build(), losses, teacher: taps.graph(), taps: taps.list(), pairing, outputs }
}

function pairsOf(nets: Nets, spec: TermSpec): readonly Pair[] {
  const { needs, pairing, least = 1 } = describe(spec.term)
  if (needs === 'logits' || needs === 'labels') return []
  if (needs === 'outputs' && typeof spec.pairs !== 'object') return outputPairs(nets)
  const found = findPairs(nets, spec.pairs ?? pairing?.mode ?? 'auto')
  const taken = typeof spec.pairs === 'object' ? found : (pairing?.pick(found) ?? found)
  if (taken.length >= least) return taken
  const shown = found.map(({ student, teacher }) => `${student.value} with ${teacher.value}`).join(', ')
  throw new AlambicError('distil.no-pairs', `${spec.term} takes at least ${least} pairs of layers`, {
    subject: spec.term,
    expected: `${least} pairs of maps`,
    found: shown || 'none',
    fix: `Name pairs yourself (--pair student=teacher), or leave ${spec.term} out.`,
  })
}

/** Outputs in order, as far as both nets have them. */
function outputPairs({ student, teacher }: Nets): readonly Pair[] {
  const points = (graph: Graph) => graph.outputs.map((value) => ({ value, dims: dimsOf(value) }))
  const others = points(teacher)
  return points(student).flatMap((own, i) => {
    const other = others[i]
    if (!own.dims || !other?.dims) return []
    const point = (value: Value, dims: readonly number[]) => ({ value: value.name, node: value.name, op: '', dims })
    return [{ student: point(own.value, own.dims), teacher: point(other.value, other.dims) }]
  })
}

function dimsOf({ type }: Value): readonly number[] | undefined {
  const dims = asTensor(type)?.shape?.slice(1)
  return dims?.every((d) => typeof d === 'number') ? dims : undefined
}

/** Values as outputs keep their names through every pass. */
function withOutputs(graph: Graph, values: readonly string[]): Graph {
  const known = new Set(graph.outputs.map((v) => v.name))
  const added = [...new Set(values)].filter((value) => !known.has(value))
  const outputs = added.map((name) => ({ name, type: graph.type(name) ?? { kind: 'unknown' as const } }))
  return graph.with({ outputs: [...graph.outputs, ...outputs] })
}

function adapt(g: Emitter, spec: TermSpec, pair: Pair, at: { name: string; seed: number }): Adapted {
  const adapted = describe(spec.term).adapt?.({ g, pair, ...at }, spec.options) ?? {
    student: pair.student.value,
    bridge: { kind: 'same' as const },
  }
  const known = new Set(g.outputs.map((v) => v.name))
  for (const value of [adapted.student, ...(adapted.extra ?? [])]) if (!known.has(value)) g.output(value)
  return adapted
}

/** What the losses ask of the teacher. */
class Taps {
  readonly #teacher: Graph
  /** The same with the batch bound: sizes are numbers, wherever the samples are. */
  readonly #bound: Graph
  readonly #values = new Set<string>()

  constructor(teacher: Graph, batch: number) {
    this.#teacher = teacher
    this.#bound = withBatch(teacher, batch)
  }

  get logits(): string {
    return this.#teacher.outputs[0]?.name ?? ''
  }

  add(value: string): void {
    this.#values.add(value)
  }

  /** The batch input of a value of the teacher. */
  feed(value: string, feed: LossContext['feed']): string {
    return feed(feedOf(value), 'f32', asTensor(this.#bound.type(value))?.shape ?? [])
  }

  list(): TeacherTap[] {
    return [...this.#values].map((value) => ({ value, feed: feedOf(value) }))
  }

  graph(): Graph {
    const outputs = [...this.#values].map((name) => ({
      name,
      type: this.#teacher.type(name) ?? { kind: 'unknown' as const },
    }))
    return this.#teacher.with({ outputs })
  }
}

function lossOf(spec: TermSpec, pairs: readonly Pair[], adapted: readonly Adapted[], taps: Taps): LossTerm {
  const description = describe(spec.term)
  const ramp = rampOf(spec)
  if (description.needs === 'logits') taps.add(taps.logits)
  for (const { teacher } of pairs) taps.add(teacher.value)
  return {
    name: spec.term,
    weight: spec.weight ?? description.weight,
    ...(ramp ? { ramp } : {}),
    build: (base) => {
      const { g, feed } = base
      const logits = classesFirst(g, base.outputs[0] as string)
      const sides = pairs.map((pair, i): Sides => ({
        student: (adapted[i] as Adapted).student,
        teacher: taps.feed(pair.teacher.value, feed),
        extra: (adapted[i] as Adapted).extra ?? [],
      }))
      const labels = () => feed(LABELS, 'i64', [g.dims(logits)[0] as number])
      const teacher = () => classesFirst(g, taps.feed(taps.logits, feed))
      return description.loss({ g, base, logits, teacher, labels, pairs: sides }, spec.options)
    },
  }
}

/** Sequences `[N, T, K]` have their classes last; losses take them along axis 1. Maps `[N, K, H, W]` have them there. */
const classesFirst = (g: Emitter, logits: string): string =>
  g.rank(logits) === 3 ? g.transpose(logits, [0, 2, 1]) : logits

/** What stands between the two features of a pair, in English. */
function bridgeText({ kind, pooled, kernel, from, to, variance }: Bridge): string {
  const texts: Readonly<Record<Bridge['kind'], string>> = {
    same: 'compared as they are',
    attention: 'as maps of attention',
    convolution: `a ${kernel}×${kernel} convolution ${from} → ${to}, trained`,
    matrix: `a matrix ${from} → ${to}, trained`,
    embedded: `both embedded in ${to} numbers, trained`,
    averaged: `the teacher's ${from} values averaged to ${to}`,
  }
  const first = pooled ? `averaged to ${pooled.join('×')}, ` : ''
  return `${first}${texts[kind]}${variance ? '; a trained variance for each channel' : ''}`
}

const reportOf = ({ term }: TermSpec, { student, teacher }: Pair, { bridge }: Adapted): PairReport => ({
  term,
  student: student.value,
  studentDims: student.dims,
  teacher: teacher.value,
  teacherDims: teacher.dims,
  between: bridgeText(bridge),
  bridge,
})
