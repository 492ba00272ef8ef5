import { AlambicError } from '../protocol/errors.ts'
import type { Int } from '../graph/attributes.ts'
import type { Context } from './context.ts'
import { int, name, readFields, type Message, type WithUnknown } from './fields.ts'
import { quoted } from './wire/failure.ts'
import type { Reader } from './wire/reader.ts'
import type { Writer } from './wire/writer.ts'

interface OpsetDraft extends WithUnknown {
  domain: string
  version: Int
}

const opsetMessage: Message<OpsetDraft> = {
  name: 'OperatorSetIdProto',
  fields: {
    1: name('domain', (o, value) => (o.domain = value)),
    2: int('version', (o, value) => (o.version = value)),
  },
}

/** Reads an OperatorSetIdProto into a map of versions by domain (`''` is ONNX's own). */
export function readOpset(opsets: Map<string, number>, reader: Reader, context: Context): void {
  const { domain, version } = readFields(opsetMessage, reader, { domain: '', version: 0, unknownFields: [] }, context)
  const label = domain === '' ? 'the default operator set' : `operator set ${quoted(domain)}`
  if (typeof version !== 'number' || version < 0) {
    throw new AlambicError('onnx.opset', `${label} has version ${version}`, {
      expected: 'a version number',
      found: `${version}`,
    })
  }
  const other = opsets.get(domain)
  if (other !== undefined && other !== version) {
    throw new AlambicError('onnx.duplicate-opset', `${label} is imported twice, as version ${other} and ${version}`)
  }
  opsets.set(domain, version)
}

export function writeOpsets(out: Writer, field: number, opsets: ReadonlyMap<string, number>): void {
  for (const [domain, version] of opsets) {
    out.message(field, (opset) => {
      opset.text(1, domain)
      opset.int(2, version)
    })
  }
}
