import { parseArgs } from 'node:util'
import type { TopicOptions } from './topic.ts'

const list = (text: string | undefined): readonly string[] => text?.split(',').filter((word) => word !== '') ?? []

/** The words of the command line. Throws a TypeError for an option that there is not. */
export function benchOptions(args: readonly string[]): TopicOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      peers: { type: 'boolean', default: false },
      only: { type: 'string' },
      seed: { type: 'string' },
      device: { type: 'string', default: 'cpu' },
      threads: { type: 'string' },
      out: { type: 'string' },
      runs: { type: 'string' },
      merge: { type: 'string' },
    },
  })
  const { peers, only, seed, device, threads, out, runs, merge } = values
  return {
    peers,
    wanted: positionals,
    cells: {
      only: list(only),
      seeds: list(seed).map(Number),
      device,
      ...(threads === undefined ? {} : { threads: Number(threads) }),
      ...(out === undefined ? {} : { out }),
      ...(runs === undefined ? {} : { runs }),
      merge: list(merge),
    },
  }
}
