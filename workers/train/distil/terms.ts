import { sizeOf } from '../../graph/tensor.ts'
import { z } from 'zod'
import { AlambicError } from '../../protocol/errors.ts'
import type { Bridge } from '../../protocol/files/methods.ts'
import type { Emitter } from '../../ops/emit.ts'
import { crossEntropy, type LossContext } from '../losses.ts'
import {
  commonSize,
  freshBias,
  freshWeight,
  misfit,
  pooledRows,
  pooledTo,
  projection,
  regressor,
  sharedSize,
} from './adapters.ts'
import * as feature from './feature.ts'
import type { Pair, PairingMode } from './pairing.ts'
import * as relation from './relation.ts'
import * as response from './response.ts'

/** What the student's side of a pair becomes before it is compared. */
export interface Adapted {
  readonly student: string
  /** More trained values that the loss reads: VID's variances. */
  readonly extra?: readonly string[]
  /** What stands between, as data: shells say it in their languages. */
  readonly bridge: Bridge
}

export interface AdaptContext {
  readonly g: Emitter
  readonly pair: Pair
  /** Prefix of the names of trained adapters. */
  readonly name: string
  readonly seed: number
}

/** A pair as the loss sees it: values of the step graph. */
export interface Sides {
  readonly student: string
  readonly teacher: string
  readonly extra: readonly string[]
}

export interface TermContext {
  readonly g: Emitter
  readonly base: LossContext
  /** The student's first output. */
  readonly logits: string
  /** The teacher's first output. */
  readonly teacher: () => string
  /** Classes, i64 `[N]`. */
  readonly labels: () => string
  readonly pairs: readonly Sides[]
}

/** What a term compares: the nets' first outputs, all outputs, values inside them, or the output and the labels. */
export type Needs = 'logits' | 'outputs' | 'features' | 'labels'

/** One kind of loss against a teacher: everything that recipes, forms, help and the step graph need of it. */
export interface Term<Options extends z.ZodObject = z.ZodObject> {
  readonly title: string
  /** The paper or code that formula and weight follow. */
  readonly source: string
  readonly needs: Needs
  /** True for terms that take the samples' classes too. */
  readonly labels?: boolean
  /** True for terms that share a weight of 1 with the labels' cross-entropy: α and 1 − α. */
  readonly shares?: boolean
  /** Weight unless given: the paper's own, or RepDistiller's where the paper has none. */
  readonly weight: number
  readonly options: Options
  /** How pairs are found unless told, and which of them are taken. */
  readonly pairing?: { readonly mode: PairingMode; readonly pick: (pairs: readonly Pair[]) => readonly Pair[] }
  /** How many pairs it takes at least; 1 unless told. */
  readonly least?: number
  /** Writes what the student's side of a pair needs before it is compared. */
  adapt?(c: AdaptContext, options: z.output<Options>): Adapted
  /** Writes the loss and returns a scalar. */
  loss(c: TermContext, options: z.output<Options>): string
}

const term = <Options extends z.ZodObject>(description: Term<Options>): Term<Options> => description

const none = z.strictObject({})
/** Hinton et al. and RepDistiller both settle near it. */
const TEMPERATURE = 4
const temperature = z
  .number()
  .positive()
  .optional()
  .describe("T: larger ones show more of how wrong classes rank; the step's own unless given")
const soft = z.strictObject({ temperature })

const all = (pairs: readonly Pair[]) => pairs
const lastMap = (pairs: readonly Pair[]) => {
  const maps = pairs.filter(({ student }) => student.dims.length === 3)
  return (maps.length > 0 ? maps : pairs).slice(-1)
}
const middle = (pairs: readonly Pair[]) => pairs.slice(Math.floor((pairs.length - 1) / 2)).slice(0, 1)

const sumOver = (g: Emitter, pairs: readonly Sides[], loss: (sides: Sides) => string): string =>
  pairs.map(loss).reduce((sum, value) => g.add(sum, value))

const asIs = ({ pair }: AdaptContext): Adapted => ({ student: pair.student.value, bridge: { kind: 'same' } })

const equal = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((d, i) => d === b[i])

/** Brings the student's maps down to the teacher's size where they are larger, and its channels to the teacher's. */
function toTeacher(c: AdaptContext, id: string, kernel: number, always: boolean): Adapted {
  const { g, pair, name, seed } = c
  const [s, t] = [pair.student.dims, pair.teacher.dims]
  if (s.length !== t.length) throw misfit(id, 'the two features have different ranks', s, t)
  if (s.length === 2 && s[0] !== t[0]) throw misfit(id, 'the two features have different numbers of tokens', s, t)
  const size = s.length === 3 ? commonSize(s.slice(1), t.slice(1)) : []
  if (!size) throw misfit(id, 'neither size is a whole multiple of the other', s, t)
  const pooled = s.length === 3 ? pooledTo(g, pair.student.value, size) : pair.student.value
  const [from, to] = s.length === 3 ? [s[0], t[0]] : [s.at(-1), t.at(-1)]
  if (from === to && !always) return { student: pooled, bridge: { kind: 'same', ...averaged(s, size) } }
  const widths = { from: from as number, to: to as number }
  const kind = s.length === 3 ? { kind: 'convolution' as const, kernel } : { kind: 'matrix' as const }
  return {
    student: regressor(g, pooled, t, kernel, { name, seed }),
    bridge: { ...kind, ...widths, ...averaged(s, size) },
  }
}

const averaged = (dims: readonly number[], size: readonly number[]): Pick<Bridge, 'pooled'> =>
  dims.length === 3 && !equal(dims.slice(1), size) ? { pooled: [...size] } : {}

/** Attention maps have no channels: only their size must be one. */
function toAttention({ g, pair }: AdaptContext): Adapted {
  const [s, t] = [pair.student.dims, pair.teacher.dims]
  const size = s.length === 3 && t.length === 3 ? commonSize(s.slice(1), t.slice(1)) : undefined
  if (!size) throw misfit('at', 'attention takes maps whose sizes are whole multiples of each other', s, t)
  return { student: pooledTo(g, pair.student.value, size), bridge: { kind: 'attention', ...averaged(s, size) } }
}

/**
 * The flows between every two neighbouring pairs. Yim et al. pool the larger maps to the size of the smaller; sizes
 * that do not divide each other (LeNet-5's 12×12 and 8×8) are both averaged to the largest that divides them, 4×4.
 * Maps that share no size but 1×1 have no flow to compare and are left out.
 */
function flows(g: Emitter, pairs: readonly Sides[]): string {
  const losses = pairs.slice(1).flatMap((second, i) => {
    const first = pairs[i] as Sides
    const size = sharedSize(g.dims(first.student).slice(2), g.dims(second.student).slice(2))
    if (!size) return []
    const at = (value: string) => pooledTo(g, value, size)
    const [s, t] = [[first.student, second.student].map(at), [first, second].map((pair) => at(matched(g, pair)))]
    return [feature.flowDifference(g, s as [string, string], t as [string, string])]
  })
  const [one, ...others] = losses
  if (one === undefined) {
    const sizes = pairs.map(({ student }) => g.dims(student).slice(2).join('×'))
    throw new AlambicError('distil.shape', 'fsp: no two neighbouring layers of the student share a size', {
      subject: 'fsp',
      expected: 'maps whose sizes have a common divisor',
      found: sizes.join(', '),
      fix: 'Pair other layers (--pair student=teacher), or use a loss on one layer such as at or sp.',
    })
  }
  return others.reduce((sum, value) => g.add(sum, value), one)
}

/** The teacher's maps at the size that the student's have by now. */
const matched = (g: Emitter, { student, teacher }: Sides): string =>
  g.rank(teacher) === 4 ? pooledTo(g, teacher, g.dims(student).slice(2)) : teacher

/**
 * Two trained embeddings of one length. The teacher's is computed in the loss: a weight is trained where an operator
 * reads it, and a change of sign, which its law does not notice, is one that no pass takes away.
 */
function toEmbeddings({ g, pair, name, seed }: AdaptContext, size: number): Adapted {
  const length = pair.teacher.dims.reduce((n, d) => n * d, 1)
  const student = projection(g, feature.flatRows(g, pair.student.value), size, { name, seed })
  const weight = g.mul(freshWeight(g, `${name}.teacher.weight`, [length, size], length, seed), -1)
  const bias = g.mul(freshBias(g, `${name}.teacher.bias`, size), -1)
  return { student, extra: [weight, bias], bridge: { kind: 'embedded', to: size } }
}

/** The tutorial's way: the longer teacher is averaged; else a regressor. */
function toCosine(c: AdaptContext): Adapted {
  const [s, t] = [c.pair.student.dims, c.pair.teacher.dims].map((dims) => sizeOf(dims)) as [number, number]
  if (t % s !== 0) return toTeacher(c, 'cosine', 1, false)
  return { student: c.pair.student.value, bridge: s === t ? { kind: 'same' } : { kind: 'averaged', from: t, to: s } }
}

function cosine(g: Emitter, { student, teacher }: Sides): string {
  const rows = feature.flatRows(g, student)
  const own = feature.flatRows(g, teacher)
  const [s = 1, t = 1] = [g.dims(rows)[1], g.dims(own)[1]]
  const other = t % s === 0 ? pooledRows(g, own, s) : feature.flatRows(g, matched(g, { student, teacher, extra: [] }))
  return feature.cosineDistance(g, rows, other)
}

/** softplus(ρ) + ε with ρ such that it starts at 5, as RepDistiller has it; one for each channel. */
const VARIANCE = { initial: 5, epsilon: 1e-5 }
function toVariational(c: AdaptContext): Adapted {
  const { g, pair, name } = c
  const adapted = toTeacher(c, 'vid', 1, true)
  const [channels = 1, ...places] = pair.teacher.dims
  const size = places.length === 1 ? (places[0] as number) : channels
  const start = Math.log(Math.exp(VARIANCE.initial - VARIANCE.epsilon) - 1)
  const rho = g.add(freshBias(g, `${name}.rho`, size), start)
  const shape = places.length === 2 ? [1, size, 1, 1] : [size]
  const variance = g.reshape(g.add(g.softplus(rho), VARIANCE.epsilon), shape)
  return { ...adapted, extra: [variance], bridge: { ...adapted.bridge, variance: true } }
}

const comparison = (title: string, source: string, compare: (g: Emitter, s: string, t: string) => string) =>
  term({
    title,
    source,
    needs: 'outputs',
    weight: 1,
    options: none,
    adapt: (c) => {
      const { student, teacher } = c.pair
      if (!equal(student.dims, teacher.dims))
        throw misfit(title, 'the two outputs differ in shape', student.dims, teacher.dims)
      return asIs(c)
    },
    loss: ({ g, pairs }) => sumOver(g, pairs, ({ student, teacher }) => compare(g, student, teacher)),
  })

/** Every loss by the name that recipes and the command line give it. A new one is an entry here. */
export const terms = {
  ce: term({
    title: "Cross-entropy with the samples' labels",
    source: 'Szegedy et al. 2016, arXiv:1512.00567, eq. 3 for smoothing',
    needs: 'labels',
    labels: true,
    weight: 1,
    options: z.strictObject({ labelSmoothing: z.number().min(0).lt(1).default(0) }),
    loss: ({ base }, o) => crossEntropy(o).build(base),
  }),
  kd: term({
    title: 'Softened class probabilities',
    source: 'Hinton et al. 2015, arXiv:1503.02531',
    needs: 'logits',
    shares: true,
    weight: 0.9,
    options: soft,
    loss: ({ g, logits, teacher }, o) => response.softenedKL(g, logits, teacher(), o.temperature ?? TEMPERATURE),
  }),
  'soft-ce': term({
    title: 'Cross-entropy with softened probabilities',
    source: 'Hinton et al. 2015, arXiv:1503.02531, eq. 2',
    needs: 'logits',
    shares: true,
    weight: 0.9,
    options: soft,
    loss: ({ g, logits, teacher }, o) => response.softCrossEntropy(g, logits, teacher(), o.temperature ?? TEMPERATURE),
  }),
  logits: term({
    title: 'Squared difference of logits',
    source: 'Ba & Caruana 2014, arXiv:1312.6184',
    needs: 'logits',
    shares: true,
    weight: 0.9,
    options: none,
    loss: ({ g, logits, teacher }) => response.meanSquared(g, logits, teacher()),
  }),
  dkd: term({
    title: 'Decoupled distillation',
    source: 'Zhao et al. 2022, arXiv:2203.08679',
    needs: 'logits',
    labels: true,
    weight: 1,
    options: soft.extend({
      alpha: z.number().min(0).default(1).describe('Weight of the right class against the others'),
      beta: z.number().min(0).default(8).describe('Weight of how the other classes rank'),
    }),
    loss: ({ g, logits, teacher, labels }, o) =>
      response.decoupled(g, logits, teacher(), labels(), { ...o, temperature: o.temperature ?? TEMPERATURE }),
  }),
  hint: term({
    title: 'Hints: features through a regressor',
    source: 'Romero et al. 2015, arXiv:1412.6550; weight of RepDistiller',
    needs: 'features',
    weight: 100,
    options: z.strictObject({
      kernel: z
        .union([z.literal(1), z.literal(3)])
        .default(1)
        .describe("Size of the regressor's convolution"),
    }),
    pairing: { mode: 'auto', pick: middle },
    adapt: (c, o) => toTeacher(c, 'hint', o.kernel, true),
    loss: ({ g, pairs }) => sumOver(g, pairs, (p) => response.meanSquared(g, p.student, matched(g, p))),
  }),
  at: term({
    title: 'Attention transfer',
    source: 'Zagoruyko & Komodakis 2017, arXiv:1612.03928',
    needs: 'features',
    weight: 1000,
    options: z.strictObject({
      power: z.number().positive().default(2).describe('p of the mean of |F|^p over channels'),
    }),
    pairing: { mode: 'auto', pick: (pairs) => pairs.filter(({ student }) => student.dims.length === 3) },
    adapt: toAttention,
    loss: ({ g, pairs }, o) =>
      sumOver(g, pairs, (p) => feature.attentionTransfer(g, p.student, matched(g, p), o.power)),
  }),
  vid: term({
    title: 'Variational information',
    source: 'Ahn et al. 2019, arXiv:1904.05835',
    needs: 'features',
    weight: 1,
    options: none,
    pairing: { mode: 'auto', pick: all },
    adapt: toVariational,
    loss: ({ g, pairs }) =>
      sumOver(g, pairs, (p) => feature.informationGap(g, p.student, matched(g, p), p.extra[0] as string)),
  }),
  cosine: term({
    title: 'Cosine of flattened features',
    source: "PyTorch's knowledge distillation tutorial",
    needs: 'features',
    weight: 0.25,
    options: none,
    pairing: { mode: 'auto', pick: lastMap },
    adapt: toCosine,
    loss: ({ g, pairs }) => sumOver(g, pairs, (p) => cosine(g, p)),
  }),
  sp: term({
    title: 'Similarity-preserving',
    source: 'Tung & Mori 2019, arXiv:1907.09682',
    needs: 'features',
    weight: 3000,
    options: none,
    pairing: { mode: 'auto', pick: lastMap },
    adapt: asIs,
    loss: ({ g, pairs }) => sumOver(g, pairs, (p) => feature.similarityPreserving(g, p.student, p.teacher)),
  }),
  rkd: term({
    title: 'Relations between samples: distances and angles',
    source: 'Park et al. 2019, arXiv:1904.05068',
    needs: 'features',
    weight: 1,
    options: z.strictObject({
      distance: z.number().min(0).default(25).describe('Weight of the distances'),
      angle: z.number().min(0).default(50).describe('Weight of the angles'),
    }),
    pairing: { mode: 'penultimate', pick: all },
    adapt: asIs,
    loss: ({ g, pairs }, o) =>
      sumOver(g, pairs, ({ student, teacher }) =>
        g.add(
          g.mul(relation.distanceRelation(g, student, teacher), o.distance),
          g.mul(relation.angleRelation(g, student, teacher), o.angle),
        ),
      ),
  }),
  crd: term({
    title: 'Contrast: a sample told from the others of its batch',
    source:
      'Tian, Krishnan & Isola 2020, arXiv:1910.10699, eq. 10, 18 and 19, negatives from the batch; weight of RepDistiller',
    needs: 'features',
    weight: 0.8,
    options: z.strictObject({
      features: z.number().int().min(1).default(128).describe('Length of the embeddings that are compared'),
      nce: z.number().positive().default(0.07).describe('τ: smaller ones look at the most similar samples only'),
    }),
    pairing: { mode: 'penultimate', pick: all },
    adapt: (c, o) => toEmbeddings(c, o.features),
    loss: ({ g, pairs }, o) =>
      sumOver(g, pairs, ({ student, teacher, extra: [weight = '', bias = ''] }) =>
        relation.contrast(g, student, g.add(g.matmul(feature.flatRows(g, teacher), weight), bias), o.nce),
      ),
  }),
  fsp: term({
    title: 'Flow between layers',
    source: 'Yim et al. 2017, CVPR, eq. 1 and 2; weight of RepDistiller',
    needs: 'features',
    weight: 50,
    options: none,
    pairing: { mode: 'auto', pick: (pairs) => pairs.filter(({ student }) => student.dims.length === 3) },
    least: 2,
    adapt: (c) => toTeacher(c, 'fsp', 1, false),
    loss: ({ g, pairs }) => flows(g, pairs),
  }),
  'output-mse': comparison('Squared difference of outputs', 'Ba & Caruana 2014, arXiv:1312.6184', response.meanSquared),
  'output-l1': comparison('Absolute difference of outputs', 'mean absolute error', response.meanAbsolute),
  'output-cosine': comparison('Cosine of outputs', "PyTorch's knowledge distillation tutorial", feature.cosineDistance),
} as const satisfies Readonly<Record<string, Term>>

export type TermId = keyof typeof terms
