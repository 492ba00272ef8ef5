import { InvalidArgumentError, type Command } from 'commander'
import type { Report } from '../../workers/protocol/worker.ts'
import { bytes, integer, table } from './format.ts'
import { callWorker } from './session.ts'

type Options = Readonly<Record<string, unknown>>

const indexBits = (text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 11) throw new InvalidArgumentError('not a number from 1 to 11')
  return value
}

/** `pack` and `unpack`: the container of CMPZ.md. */
export function addPacking(program: Command): void {
  program
    .command('pack <model>')
    .description('write a model as a .cmpz container: sparse, shared and Huffman-coded weights, bit-exact')
    .option('--index-bits <n>', 'bits of a gap between weights; the best for each tensor unless told', indexBits)
    .option('-o, --output <file>', 'where the container goes')
    .option('--json', 'exactly one JSON document on stdout')
    .action((model: string, o: Options) => callWorker('pack', { model, ...o }, o, packed))
  program
    .command('unpack <file>')
    .description('write the ONNX file that a .cmpz container holds')
    .option('-o, --output <file>', 'where the model goes')
    .option('--json', 'exactly one JSON document on stdout')
    .action((file: string, o: Options) => callWorker('unpack', { file, ...o }, o, unpacked))
}

interface PackedTensor {
  readonly name: string
  readonly elements: number
  readonly nonZeros: number
  readonly rawBytes: number
  readonly packedBytes: number
  readonly positions: 'dense' | number
  readonly codebook: number
}

function packed(report: Report): string {
  const {
    tensors,
    rawBytes,
    bytes: size,
    ratio,
    output,
    parts,
  } = report as unknown as {
    readonly tensors: readonly PackedTensor[]
    readonly rawBytes: number
    readonly bytes: number
    readonly ratio: number
    readonly output: string
    readonly parts: Readonly<Record<string, number>>
  }
  const rows = tensors.map((t) => [
    t.name,
    integer(t.elements),
    `${((100 * t.nonZeros) / Math.max(1, t.elements)).toFixed(1)} %`,
    t.codebook > 0 ? integer(t.codebook) : '–',
    t.positions === 'dense' ? '–' : String(t.positions),
    bytes(t.rawBytes),
    bytes(t.packedBytes),
  ])
  return [
    table([['tensor', 'elements', 'kept', 'values', 'index bits', 'raw', 'packed'], ...rows]),
    Object.entries(parts)
      .map(([part, n]) => `${part} ${bytes(n)}`)
      .join(', '),
    `${bytes(rawBytes)} → ${bytes(size)}, ${ratio.toFixed(1)}× less; decoded again and found equal`,
    `written to ${output}`,
  ].join('\n')
}

const unpacked = (report: Report): string =>
  `${bytes(report['bytes'] as number)} written to ${String(report['output'])}, its SHA-256 as packed`
