import type { Command } from 'commander'
import type { Report } from '../../workers/protocol/worker.ts'
import { count, duration, integer, table } from './format.ts'
import { compute, json, whole, type Options } from './running.ts'
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
      return callWorker('student', { model, make: o['make'], output, seed: o['seed'], threads: o['threads'] }, o, made)
    })
  compute(program.command('students <teacher>').description('what could be its student: counts and latency, untrained'))
    .option('--batch <n>', 'samples per inference', whole)
    .option('--runs <n>', 'timed runs', whole)
    .action((model: string, o: Options) =>
      callWorker('students', { model, batch: o['batch'], runs: o['runs'], threads: o['threads'] }, o, gallery),
    )
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
