import { InvalidArgumentError, type Command } from 'commander'
import type { Report } from '../../workers/protocol/worker.ts'
import { count, integer, table } from './format.ts'
import { given, number, oneStep, run, running, type Options } from './running.ts'
import { callWorker } from './session.ts'
import { measuredTable } from './show.ts'

/** Rank rules and budgets, by flag; the one that is given becomes the field `rank` of the step. */
const rules = {
  rank: { flag: '--rank <n>', text: 'the same rank everywhere', name: 'fixed', parse: number },
  share: { flag: '--share <s>', text: 'a share of the ranks at which nothing is lost', name: 'share', parse: number },
  ratio: { flag: '--ratio <x>', text: 'so many times fewer parameters in each layer', name: 'ratio', parse: number },
  energy: {
    flag: '--energy <s>',
    text: 'share of the energy that is kept, such as 0.95',
    name: 'energy',
    parse: number,
  },
  evbmf: {
    flag: '--evbmf',
    text: 'ranks by variational Bayesian matrix factorization',
    name: 'evbmf',
    parse: undefined,
  },
  params: {
    flag: '--params <s>',
    text: 'budget: share of the parameters over all layers',
    name: 'params',
    parse: number,
  },
  macs: { flag: '--macs <s>', text: 'budget: share of the multiply-accumulates', name: 'macs', parse: number },
  latency: {
    flag: '--latency <s>',
    text: 'budget: share of the latency, measured here (needs --data)',
    name: 'latency',
    parse: number,
  },
} as const

/** `factorize`: the step of that name, on a bare model or, with data, as a run. */
export function addFactorizing(program: Command): void {
  const command = running(
    program
      .command('factorize <model>')
      .description('write convolutions and matrix products as several smaller ones, with or without data'),
    false,
  )
    .option('--conv <method>', 'of convolutions: tucker, spatial, cp, depthwise, channel or none')
    .option('--dense <method>', 'of matrix products and 1×1 convolutions: svd or none')
    .option('--samples <n>', 'keep what svd and channel layers put out on so many samples (needs --data)', number)
  for (const { flag, text, parse } of Object.values(rules)) {
    if (parse) command.option(flag, text, parse)
    else command.option(flag, text)
  }
  command.action((model: string, o: Options) => {
    const options = stepOptions(o)
    return o['data'] === undefined ? bare(model, options, o) : run(oneStep('factorize', {}, options), model, o)
  })
}

/** The fields of the step out of the flags that were given. */
function stepOptions(o: Options): Options {
  const chosen = Object.entries(rules).filter(([flag]) => o[flag] !== undefined)
  if (chosen.length > 1) {
    throw new InvalidArgumentError(`give one of ${chosen.map(([flag]) => `--${flag}`).join(', ')}`)
  }
  const rank = Object.fromEntries(chosen.map(([flag, { name }]) => [name, o[flag]]))
  return { ...given(o, ['conv', 'dense', 'samples']), ...(chosen.length > 0 ? { rank } : {}) }
}

async function bare(model: string, options: Options, o: Options): Promise<void> {
  const output = o['output'] ?? model.replace(/(\.onnx)?$/, '-low-rank.onnx')
  const { seed, threads, device } = o
  await callWorker('factorize', { model, output, options, seed, threads, device }, o, factorized)
}

interface Layer {
  readonly name: string
  readonly method?: string
  readonly ranks?: readonly number[]
  readonly params?: { readonly before: number; readonly after: number }
  readonly macs?: { readonly before: number; readonly after: number }
  readonly error?: number
  readonly note?: string
  readonly skipped?: string
}

function factorized(report: Report): string {
  const { output, factorization } = report as unknown as {
    readonly output: string
    readonly factorization: { readonly layers: readonly Layer[] }
  }
  const { layers } = factorization
  const change = (pair: Layer['params'], show: (n: number) => string) =>
    pair ? `${show(pair.before)} → ${show(pair.after)}` : '–'
  const rows = layers
    .filter((l) => l.skipped === undefined)
    .map((l) => [
      l.name,
      l.method ?? '',
      (l.ranks ?? []).join(', '),
      change(l.params, integer),
      change(l.macs, count),
      `${(100 * (l.error ?? 0)).toFixed(1)} %`,
    ])
  const measured = report as unknown as Parameters<typeof measuredTable>[0][number]
  return [
    ...(rows.length > 0 ? [table([['layer', 'method', 'ranks', 'parameters', 'MACs', 'error'], ...rows])] : []),
    ...layers.flatMap((l) => (l.note === undefined ? [] : [`${l.name}: ${l.note}`])),
    ...layers.flatMap((l) => (l.skipped === undefined ? [] : [`kept as it is, ${l.name}: ${l.skipped}`])),
    measuredTable([{ ...measured, label: 'model' }]),
    `written to ${output}`,
  ].join('\n')
}
