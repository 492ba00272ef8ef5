import { AlambicError } from '../../protocol/errors.ts'
import {
  preprocessingFor,
  preprocessorFor,
  PREPROCESSING,
  type Dataset,
  type Preprocessing,
} from '../../datasets/index.ts'
import type { Graph, Model } from '../../graph/graph.ts'

/** Everything but the layout: a vector is the same numbers as the image it was. */
const compared = ['resize', 'crop', 'colour', 'scale', 'mean', 'std', 'dtype'] as const

/**
 * How samples come to student and teachers alike: as given, else as the student's file says, else as the teacher's
 * does. In the student's layout.
 *
 * @throws AlambicError `distil.preprocessing` that says in what a teacher's own preprocessing differs
 */
export function sharedPreprocessing(
  data: Dataset,
  student: Model,
  teachers: readonly Model[],
  given?: Preprocessing,
): Preprocessing {
  const theirs = teachers.map((teacher) => preprocessingFor(data, teacher))
  const [first] = theirs
  const says = given !== undefined || student.metadata.has(PREPROCESSING)
  const own = says || !first ? preprocessingFor(data, student, given) : inLayoutOf(data, student.graph, first)
  if (given === undefined) for (const other of theirs) checkAlike(own, other)
  return own
}

/** The same numbers in the layout, and where that is another, the size that another net takes them in. */
export function inLayoutOf(data: Dataset, net: Graph, shared: Preprocessing): Preprocessing {
  const { layout, resize } = preprocessorFor(data, net)
  try {
    return preprocessorFor(data, net, { ...shared, layout })
  } catch (thrown) {
    if (!(thrown instanceof AlambicError && thrown.code === 'data.shape')) throw thrown
    return preprocessorFor(data, net, { ...shared, layout, crop: undefined, resize })
  }
}

function checkAlike(own: Preprocessing, theirs: Preprocessing): void {
  const text = (value: unknown) => JSON.stringify(value) ?? 'none'
  const differing = compared.filter((field) => text(own[field]) !== text(theirs[field]))
  const layouts = [own, theirs].map(({ layout }) => (layout === 'NHWC' ? 'channels last' : 'channels first'))
  if (differing.length === 0 && layouts[0] === layouts[1]) return
  const say = (side: Preprocessing, layout: string | undefined) =>
    [...differing.map((field) => `${field} ${text(side[field])}`), ...(layouts[0] === layouts[1] ? [] : [layout])].join(
      ', ',
    )
  throw new AlambicError('distil.preprocessing', 'teacher and student take their samples in different forms', {
    subject: differing[0] ?? 'layout',
    expected: `the teacher's ${say(theirs, layouts[1])}`,
    found: `the student's ${say(own, layouts[0])}`,
    fix: "Build the student for the teacher's input, or give one preprocessing for both (--set steps.0.preprocessing=…).",
  })
}
