/** What an error carries beside its sentence. Every field is data, so that any shell can show it in its own way. */
export interface ErrorDetails {
  /** What it is about: a node, a file, a flag; the sentence names it too. */
  readonly subject?: string | undefined
  readonly expected?: string | undefined
  readonly found?: string | undefined
  /** What the person can do now, as an imperative sentence. */
  readonly fix?: string | undefined
  readonly cause?: unknown
}

/**
 * The only error that is meant to be read by a person. `code` is stable and dotted (`onnx.truncated`,
 * `data.idx-magic`, `usage.unknown-option`); the part before the dot is the area.
 */
export class AlambicError extends Error {
  readonly code: string
  readonly subject: string | undefined
  readonly expected: string | undefined
  readonly found: string | undefined
  readonly fix: string | undefined

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'AlambicError'
    this.code = code
    this.subject = details.subject
    this.expected = details.expected
    this.found = details.found
    this.fix = details.fix
  }

  /** The sentence, then what was expected and found, then what to do; one line each. */
  describe(): string {
    const lines = [this.message]
    if (this.expected !== undefined) lines.push(`expected: ${this.expected}`)
    if (this.found !== undefined) lines.push(`found: ${this.found}`)
    if (this.fix !== undefined) lines.push(`what to do: ${this.fix}`)
    return lines.join('\n')
  }

  toJSON(): Record<string, unknown> {
    const { code, message, subject, expected, found, fix } = this
    return { code, message, subject, expected, found, fix }
  }

  /** Rebuilds an error that crossed a process border as JSON. */
  static fromJSON(json: { code: string; message: string } & ErrorDetails): AlambicError {
    return new AlambicError(json.code, json.message, json)
  }
}

/** Any thrown value as an AlambicError; what is not one of ours keeps its message under `internal.unexpected`. */
export function asAlambicError(thrown: unknown): AlambicError {
  if (thrown instanceof AlambicError) return thrown
  if (isDiskFull(thrown)) return diskFull(thrown)
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new AlambicError('internal.unexpected', message, { cause: thrown })
}

/** True when a write failed because the disk, or the person's share of it, is full. */
export const isDiskFull = (thrown: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((thrown as { code?: string } | null | undefined)?.code ?? '')

const diskFull = (thrown: unknown): AlambicError =>
  new AlambicError('disk.full', 'the disk is full', {
    subject: (thrown as { path?: string }).path,
    fix: 'Free some space, then resume: nothing that was saved is lost.',
    cause: thrown,
  })
