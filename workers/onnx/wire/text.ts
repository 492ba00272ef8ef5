/**
 * Text of a file as a JavaScript string and back, without loss. Protobuf strings should be UTF-8, but ONNX also keeps
 * arbitrary bytes in string attributes; a byte that is no UTF-8 becomes the lone surrogate U+DC80 … U+DCFF, as Python's
 * `surrogateescape` (PEP 383) does, and becomes that byte again when written.
 */

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()
const ESCAPE = 0xdc00
/** Below this a loop over ASCII beats a call to the decoder. */
const SHORT = 32

/** The text in `bytes` from `start` to `end`. */
export function textOf(bytes: Uint8Array, start = 0, end = bytes.length): string {
  if (end - start <= SHORT) {
    const ascii = asciiOf(bytes, start, end)
    if (ascii !== undefined) return ascii
  }
  const part = bytes.subarray(start, end)
  try {
    return strict.decode(part)
  } catch {
    return escapedText(part)
  }
}

function asciiOf(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = ''
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number
    if (byte > 0x7f) return undefined
    text += String.fromCharCode(byte)
  }
  return text
}

function escapedText(bytes: Uint8Array): string {
  const pieces: string[] = []
  let start = 0
  for (let i = 0; i < bytes.length;) {
    const length = sequenceLength(bytes, i)
    if (length > 0) {
      i += length
      continue
    }
    pieces.push(strict.decode(bytes.subarray(start, i)), String.fromCharCode(ESCAPE + (bytes[i] as number)))
    start = ++i
  }
  pieces.push(strict.decode(bytes.subarray(start)))
  return pieces.join('')
}

/** Length of the well-formed UTF-8 sequence at `i`, 0 where there is none (Unicode 16, table 3-7). */
function sequenceLength(bytes: Uint8Array, i: number): number {
  const lead = bytes[i] as number
  if (lead < 0x80) return 1
  const length =
    lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0
  if (length === 0 || i + length > bytes.length) return 0
  const second = bytes[i + 1] as number
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  if (second < low || second > high) return 0
  for (let k = 2; k < length; k++) if (((bytes[i + k] as number) & 0xc0) !== 0x80) return 0
  return length
}

export function bytesOf(text: string): Uint8Array {
  if (text.isWellFormed()) return encoder.encode(text)
  const bytes: number[] = []
  for (const character of text) {
    const code = character.codePointAt(0) as number
    if (code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff) bytes.push(code - ESCAPE)
    else bytes.push(...encoder.encode(character))
  }
  return Uint8Array.from(bytes)
}
