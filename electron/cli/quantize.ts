import { InvalidArgumentError, type Command } from 'commander'
import { given, run, running, share, type Options } from './running.ts'

function count(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('not a whole number above 0')
  return value
}

/** Modes that are steps of their own, with options of the command that are fields of theirs. */
const trained: Readonly<Record<string, readonly string[]>> = {
  qat: [
    'activations',
    'batch',
    'calibration',
    'epochs',
    'exclude',
    'lr',
    'perChannel',
    'reduceRange',
    'samples',
    'scales',
    'teacher',
    'weightBits',
  ],
  adaround: [
    'activations',
    'calibration',
    'exclude',
    'iterations',
    'maxDrop',
    'perChannel',
    'reduceRange',
    'samples',
    'weightBits',
  ],
}

/** Options of the command that are fields of the step by the same name. */
const fields = [
  'activations',
  'bits',
  'blockSize',
  'calibration',
  'convolutions',
  'exclude',
  'biasCorrection',
  'budget',
  'equalize',
  'format',
  'maxDrop',
  'method',
  'mode',
  'optimize',
  'perChannel',
  'reduceRange',
  'rest',
  'rounding',
  'samples',
  'weightBits',
] as const

/** The options of `alambic quantize`; every other field of the step can be given with --set steps.0.field=value. */
const quantizing = (command: Command): Command =>
  running(command, false)
    .option('--mode <mode>', 'static, adaround or qat (which need data), dynamic, weights or fp16', 'static')
    .option('--max-drop <share>', 'largest accuracy that may be lost, such as 1%', share)
    .option(
      '--budget <budget>',
      'the most that the result may take: bytes=40%, latency=3ms; a precision for each layer',
    )
    .option('--calibration <method>', 'min-max, moving-average, percentile, entropy or mse')
    .option('--samples <n>', 'samples to calibrate with', count)
    .option('--activations <type>', 'u8, i8, u16 or i16')
    .option('--no-per-channel', 'one weight scale for all output channels')
    .option('--reduce-range', 'weights of 7 bits, for processors with AVX2 but no VNNI')
    .option('--bits <n>', '4 or 8, where only weights are quantized', count)
    .option('--block-size <n>', 'weights that share a scale, where only weights are quantized', count)
    .option('--method <method>', 'rtn, mse or gptq, where only weights are quantized')
    .option('--convolutions', 'dynamic and weights: convolutions too')
    .option('--rounding <how>', 'static: nearest, or gptq: so that each layer puts out what it did')
    .option('--exclude <layers...>', 'layers that stay in float')
    .option('--optimize <goal>', 'size, or latency: never slower than the float model')
    .option('--format <format>', 'qdq, or qoperator for integer operators')
    .option('--equalize', 'balance the channels of layers that follow each other first')
    .option('--bias-correction <how>', 'none, analytic or empirical')
    .option('--weight-bits <n>', '2 to 7: fewer than int8 has, on int8 kernels', count)
    .option('--epochs <n>', 'qat: passes over the training set', count)
    .option('--batch <n>', 'qat: samples per step', count)
    .option('--lr <rate>', 'qat: base learning rate', Number)
    .option('--scales <how>', 'qat: follow the weights, or learn (LSQ)')
    .option('--teacher <who>', 'qat: labels, float (the model itself, no labels needed) or both')
    .option('--iterations <n>', 'adaround: steps of each layer', count)
    .option('--rest', 'quantize what a quantized model still has in float')

/** The recipe of a single quantization. */
function quantization(options: Options): Options {
  const mode = String(options['mode'])
  const own = Object.hasOwn(trained, mode) ? trained[mode] : undefined
  return { alambic: 1, name: mode, steps: [{ step: own ? mode : 'quantize', ...given(options, own ?? fields) }] }
}

export function addQuantizing(program: Command): void {
  quantizing(program.command('quantize <model>').description('store and compute in 8 bits or less')).action(
    (model: string, o: Options) => run(quantization(o), model, o),
  )
}
