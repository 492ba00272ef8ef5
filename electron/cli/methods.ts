import type { Command } from 'commander'
import { AlambicError } from '../../workers/protocol/errors.ts'
import type { Field, MethodInfo, Methods, Words } from '../../workers/protocol/studio.ts'
import type { Report } from '../../workers/protocol/worker.ts'
import { table } from './format.ts'
import { json, type Options } from './running.ts'
import { callWorker } from './session.ts'

type Language = keyof Words

/** `methods`: what can be in a recipe; with a name, everything about one, as the studio's help page has it. */
export function addMethods(program: Command): void {
  json(program.command('methods [name]').description('steps of recipes; with a name, what one does and its options'))
    .option('--language <tag>', 'en or zh-CN; that of the system unless given')
    .action((name: string | undefined, o: Options) => {
      const asked = (o['language'] as string | undefined) ?? Intl.DateTimeFormat().resolvedOptions().locale
      const language: Language = asked.startsWith('zh') ? 'zh-CN' : 'en'
      return callWorker('methods', {}, o, (report) => shown(report, name, language))
    })
}

function shown(report: Report, name: string | undefined, language: Language): string {
  const { steps } = report as unknown as Methods
  if (name === undefined) return table(steps.map(({ id, title, help }) => [id, title[language], help[language]]))
  const method = steps.find(({ id }) => id === name)
  if (method) return page(method, language)
  throw new AlambicError('recipe.step', `there is no step "${name}"`, {
    subject: name,
    expected: steps.map(({ id }) => id).join(', '),
  })
}

function page({ id, title, does, helps, not, corrections, source, fields }: MethodInfo, language: Language): string {
  const list = (sign: string, all: readonly Words[]) => all.map((text) => `  ${sign} ${text[language]}`)
  return [
    `${id}: ${title[language]}`,
    '',
    does[language],
    '',
    ...list('+', helps),
    ...list('−', not),
    ...list('!', corrections),
    '',
    table(fields.map((field) => [field.name, usual(field), field.hint?.[language] ?? field.label[language]])),
    '',
    source,
  ].join('\n')
}

const usual = (field: Field): string => (field.default === undefined ? '' : JSON.stringify(field.default))
