import { AlambicError } from '../../protocol/errors.ts'

/** A name from a file as it appears in sentences: quoted, and cut where it gets long. */
export const quoted = (name: string): string => `"${shown(name).replaceAll('"', '\\"')}"`

/**
 * A text from a file for a sentence of ours: what would not show, or change how the rest is shown (control characters,
 * bidirectional marks), appears as its code.
 */
export function shown(text: string): string {
  const short = text.length > 80 ? `${text.slice(0, 77)}…` : text
  return short.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, (c) => `\\u{${(c.codePointAt(0) as number).toString(16)}}`)
}

/** A number with its unit: `1 byte`, `8 bytes`. */
export const counted = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? '' : 's'}`

/**
 * Runs a part of the decoding; an error of it is rethrown with `label()` before its sentence: `node "c" (Constant): …`.
 * Labels are only made when something failed.
 */
export const within = <T>(label: () => string, run: () => T): T => relabel(label, run, ': ')

/** The same where the label is the subject of the sentence: `initializer "w" holds 8 bytes`. */
export const about = <T>(label: () => string, run: () => T): T => relabel(label, run, ' ')

/** Beyond this a chain of labels (subgraphs in subgraphs) helps nobody. */
const LONG = 300
const CUT = '… '

function relabel<T>(label: () => string, run: () => T, join: string): T {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof AlambicError) || error.message.startsWith(CUT)) throw error
    throw labelled(error, error.message.length > LONG ? CUT : `${label()}${isLimit(error) ? ': ' : join}`, label)
  }
}

/** Sentences about limits have a subject of their own. */
const isLimit = (error: AlambicError): boolean => error.code.startsWith('onnx.limit-')

function labelled(error: AlambicError, prefix: string, label: () => string): AlambicError {
  const { code, message, subject, expected, found, fix, cause } = error
  return new AlambicError(code, prefix + message, { subject: subject ?? label(), expected, found, fix, cause })
}
