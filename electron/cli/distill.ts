import { InvalidArgumentError, type Command } from 'commander'
import { AlambicError } from '../../workers/protocol/errors.ts'
import { given, number, oneStep, run, training, whole, type Options } from './running.ts'

const listed = (text: string): readonly string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

/** `kd,at:1000`: names of losses, each with a weight or its own. */
export function losses(text: string): readonly string[] {
  const terms = listed(text)
  if (terms.length === 0) throw new InvalidArgumentError('no loss is named')
  const bad = terms.find((term) => !/^[\w-]+(:\d+(\.\d+)?(e[+-]?\d+)?)?$/.test(term))
  if (bad !== undefined)
    throw new InvalidArgumentError(`"${bad}" is not a name, or a name and a weight such as at:1000`)
  return terms
}

type NamedPair = { readonly student: string; readonly teacher: string }

/** `--pair conv2=layer1.relu` adds a pair to those given before. */
export function pair(text: string, all: readonly NamedPair[] = []): readonly NamedPair[] {
  const at = text.indexOf('=')
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('expected student-layer=teacher-layer')
  return [...all, { student: text.slice(0, at), teacher: text.slice(at + 1) }]
}

/** A number of peers, or their names. */
const peers = (text: string): number | readonly string[] => (/^\d+$/.test(text) ? Number(text) : listed(text))

/** Options that are fields of the step by the same name. */
const fields = [
  'temperature',
  'alpha',
  'beta',
  'strategy',
  'peers',
  'generations',
  'assistants',
  'stageEpochs',
] as const

/** `distill`: every loss and strategy of the step `distil`. */
export function addDistilling(program: Command): void {
  training(program.command('distill').alias('distil').description('train a student to follow a teacher'))
    .option('--teacher <models>', 'a model file, or several with commas between, whose logits are averaged', listed)
    .option(
      '--student <model>',
      'a zoo id, a file, or made of the teacher: auto, thin:0.5, shallow, separable, fire, shuffle',
    )
    .option('--loss <terms>', 'kd, dkd, hint, at, vid, sp, rkd, …, with commas between; at:1000 sets a weight', losses)
    .option('--pair <student=teacher>', 'layers to compare (repeatable); found by their size unless given', pair)
    .option(
      '--strategy <name>',
      'offline, mutual, branches, self, born-again, assistant or progressive; a net teaches itself or its peers in mutual, branches and self',
    )
    .option('--temperature <t>', 'softens what the teacher says', number)
    .option('--alpha <share>', 'weight of the teacher; the labels get the rest', number)
    .option('--beta <weight>', "self: weight of the features' distance", number)
    .option('--peers <n>', 'mutual and branches: how many beside the student, or which nets', peers)
    .option('--generations <n>', 'born-again: how many students follow each other', whole)
    .option('--assistants <models>', 'assistant: the nets between, from the largest to the smallest', listed)
    .option('--stage-epochs <n>', 'progressive: epochs of each stage before the last phase', whole)
    .option('--no-cache', 'ask the teacher for every batch, even where inputs repeat')
    .action((o: Options) => distill(o))
}

/** Strategies in which a net can be its own student. */
const ownStudent: ReadonlySet<string> = new Set(['born-again', 'mutual', 'branches', 'self'])

async function distill(o: Options): Promise<void> {
  const teachers = (o['teacher'] as readonly string[] | undefined) ?? []
  const student = o['student'] as string | undefined
  const model = teachers[0] ?? student
  if (model === undefined) {
    throw new AlambicError('usage.distill', 'nothing to distil was named', {
      expected: '--teacher, --student, or both',
      fix: 'Name a teacher: alambic distill --teacher teacher.onnx --student lenet-5@0.25 --data mnist',
    })
  }
  if (student === undefined && !ownStudent.has(o['strategy'] as string)) {
    throw new AlambicError('usage.distill', 'no student was named', {
      expected: '--student, a zoo id or a model file',
      fix: 'Name one, such as --student lenet-5@0.25, or use --strategy born-again, mutual, branches or self.',
    })
  }
  const step = {
    ...given(o, fields),
    ...(student !== undefined && teachers.length > 0 ? { student } : {}),
    ...(teachers.length > 1 ? { teacher: teachers } : {}),
    ...(o['loss'] === undefined ? {} : { losses: o['loss'] }),
    ...(o['pair'] === undefined ? {} : { pairs: o['pair'] }),
    ...(o['cache'] === false ? { cache: false } : {}),
  }
  await run(oneStep('distil', o, step), model, o)
}
