import { InvalidArgumentError, type Command } from 'commander'
import { json, type Options } from './running.ts'
import { callWorker } from './session.ts'
import { asText } from './show.ts'

type Numbers = Readonly<Record<string, number>>

/** `name=number`, repeatable. */
function assigned(text: string, all: Numbers = {}): Numbers {
  const at = text.lastIndexOf('=')
  const value = Number(text.slice(at + 1))
  if (at < 1 || text.length === at + 1 || !Number.isFinite(value))
    throw new InvalidArgumentError('expected name=number')
  return { ...all, [text.slice(0, at)]: value }
}

const sizeOrName = (text: string): number | string => (/^\d+$/.test(text) ? Number(text) : text)

/** `specialize`: one way of using a model, for good. */
export function addSpecializing(program: Command): void {
  json(program.command('specialize <model>').description('a model for one way of using it: fixed inputs and sizes'))
    .option('--input <name=number>', 'an input that never changes (repeatable)', assigned)
    .option('--dim <name=size>', 'a symbolic size that becomes a number (repeatable)', assigned)
    .option('--batch <size>', 'the batch of a model that has a fixed one: a number, or a name for any', sizeOrName)
    .option('-o, --output <file>', 'where the model goes')
    .action((model: string, o: Options) => {
      const output = o['output'] ?? model.replace(/(\.onnx)?$/, '-special.onnx')
      return callWorker(
        'specialize',
        { model, output, inputs: o['input'], dims: o['dim'], batch: o['batch'] },
        o,
        asText,
      )
    })
}
