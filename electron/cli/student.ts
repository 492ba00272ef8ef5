import type { Command } from 'commander'
import type { Report } from '../../workers/protocol/worker.ts'
import { count, duration, integer, table } from './format.ts'
import { compute, json, number, whole, type Options } from './running.ts'
import { callWorker } from './session.ts'
import { measuredTable } from './show.ts'
import { losses, pair } from './distill.ts'

/** `student`, `students` and `pairing`: what to distil into, and which layers would be compared. */
export function addStudents(program: Command): void {
  compute(program.command('student <teacher>').description("make a student of a teacher's own graph"))
    .requiredOption('--make <how>', 'thin:0.5, shallow:0.5, separable, fire, shuffle, several with + between, or auto')
    .option('--seed <n>', 'seed of fresh weights', whole, 42)
    .option('-o, --output <file>', 'where the student goes')
    .action((model: string, o: Options) => {
      const output = o['output'] ?? model.replace(/(\.onnx)?$/, `-${String(o['make']).replaceAll(':', '-')}.onnx`)
      return callWorker(
        'student',
        { model, make: o['make'], output, seed: o['seed'], threads: o['threads'], device: o['device'] },
        o,
        made,
      )
    })
  compute(program.command('students <teacher>').description('what could be its student: counts and latency, untrained'))
    .option('--batch <n>', 'samples per inference', whole)
    .option('--runs <n>', 'timed runs', whole)
    .action((model: string, o: Options) =>
      callWorker(
        'students',
        { model, batch: o['batch'], runs: o['runs'], threads: o['threads'], device: o['device'] },
        o,
        gallery,
      ),
    )
  compute(program.command('synthesize <model>').description('make unlabelled samples for a model without its data'))
    .option('--samples <n>', 'how many', whole)
    .option('--method <name>', 'statistics: noise changed to fit its batch normalizations; noise: as it is')
    .option('--batch <n>', 'samples whose statistics are compared together', whole)
    .option('--iterations <n>', 'steps for each batch', whole)
    .option('--lr <rate>', 'learning rate of the samples', number)
    .option('--class-weight <w>', 'how much samples are to be of classes', number)
    .option('--smoothness <w>', 'how much neighbouring pixels are to be alike', number)
    .option('--seed <n>', 'seed of the noise', whole, 42)
    .requiredOption('-o, --output <folder>', 'where the samples go; use it as --data then')
    .action((model: string, o: Options) => callWorker('synthesize', { model, ...o }, o, synthesized))
  json(program.command('pairing <teacher> <student>').description('the layers of both nets, and which are compared'))
    .option('--loss <terms>', 'the losses that compare them', losses, ['hint', 'at'])
    .option('--pair <student=teacher>', 'layers to compare (repeatable)', pair)
    .action((teacher: string, student: string, o: Options) =>
      callWorker('pairing', { teacher, student, losses: o['loss'], pairs: o['pair'] }, o, pairing),
    )
}

function made(report: Report): string {
  const { changes, kept, teacher } = report['made'] as Made
  const measured = report as unknown as Parameters<typeof measuredTable>[0][number]
  return [
    ...changes,
    ...kept.map((text) => `kept: ${text}`),
    `parameters ${integer(teacher.params)} → ${integer(measured.params)}`,
    measuredTable([{ ...measured, label: 'student' }]),
    `written to ${String(report['output'])}; its weights are the teacher's where they could be, distil it now`,
  ].join('\n')
}

function synthesized(report: Report): string {
  const { samples, dims, output, layers, distance } = report as unknown as Synthesized
  const made = `${samples} samples of ${dims.join('×')} in ${output}; use them with --data ${output}`
  if (!distance) return `${made}\nnoise says little of what the model was made for: real unlabelled inputs are better`
  const fit = `distance of the statistics of ${layers} layers: ${distance.before.toPrecision(3)} → ${distance.after.toPrecision(3)}`
  return [made, fit, 'they are weak: real unlabelled inputs, if there are any, teach better'].join('\n')
}

interface Synthesized {
  readonly samples: number
  readonly dims: readonly number[]
  readonly output: string
  readonly layers: number
  readonly distance?: { readonly before: number; readonly after: number }
}

interface Made {
  readonly changes: readonly string[]
  readonly kept: readonly string[]
  readonly teacher: { readonly params: number }
}

interface Row {
  readonly student: string
  readonly title: string
  readonly params: number
  readonly macs?: number
  readonly latency: { readonly medianMs: number }
}

function gallery(report: Report): string {
  const { params } = report['teacher'] as { params: number }
  const rows = (report['students'] as readonly Row[]).map((row) => [
    row.student,
    `${integer(row.params)} (${(params / row.params).toFixed(1)}× less)`,
    row.macs === undefined ? '–' : count(row.macs),
    duration(row.latency.medianMs),
    row.title,
  ])
  const refused = report['refused'] as readonly { readonly student: string; readonly because: string }[]
  return [
    table([['student', 'parameters', 'MACs', 'latency, median', ''], ...rows]),
    ...refused.map(({ student, because }) => `not ${student}: ${because}`),
  ].join('\n')
}

interface Point {
  readonly value: string
  readonly op: string
  readonly dims: readonly number[]
  readonly endsStage: boolean
}

function pairing(report: Report): string {
  const column = (side: string) =>
    (report[side] as readonly Point[]).map((p) => `${p.endsStage ? '●' : '○'} ${p.value} ${p.op} [${p.dims.join('×')}]`)
  const [teacher, student] = [column('teacher'), column('student')]
  const lines = Array.from({ length: Math.max(teacher.length, student.length) }, (_, i) => [
    teacher[i] ?? '',
    student[i] ?? '',
  ])
  const pairs = report['pairs'] as readonly { term: string; student: string; teacher: string; between: string }[]
  return [
    table([['teacher', 'student'], ...lines]),
    '● ends a stage',
    ...pairs.map((p) => `${p.term}: ${p.student} learns from ${p.teacher}, ${p.between}`),
  ].join('\n')
}
