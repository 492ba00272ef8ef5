import { AlambicError } from '../protocol/errors.ts'

export type TokenKind = 'name' | 'string' | 'number' | 'hash' | 'mark' | 'end'

export interface Token {
  readonly kind: TokenKind
  /** As it stands in the text; for a string what it says, for a hash its digits. */
  readonly text: string
  /** Where it begins, in UTF-16 units from the start. */
  readonly at: number
}

/** Spaces, line ends and `# comments`. */
const blank = /(?:\s+|#[^\n]*)*/y

/** What a token can be, the first that matches wins. */
const patterns: readonly (readonly [TokenKind, RegExp])[] = [
  ['hash', /sha256:[0-9a-f]{8,64}(?!\w)/y],
  ['name', /[A-Za-z_]\w*(?:\.\w+)*/y],
  ['string', /"(?:[^"\\\n]|\\.)*"/y],
  ['mark', /->|[(){}[\],:;=?@.]/y],
  ['number', /-?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|inf)(?!\w)/y],
]

/** Reads the text of a graph token by token, with a look at what follows. Every error says the line and the column. */
export class Reader {
  readonly #text: string
  readonly #ahead: Token[] = []
  #end = 0

  constructor(text: string) {
    this.#text = text
  }

  /** The token `distance` places ahead; 0 is the one that `next` takes. */
  peek(distance = 0): Token {
    while (this.#ahead.length <= distance) this.#ahead.push(this.#scan())
    return this.#ahead[distance] as Token
  }

  next(): Token {
    const token = this.peek()
    this.#ahead.shift()
    return token
  }

  /** Whether a mark, or a bare word, comes next. */
  sees(text: string, distance = 0): boolean {
    const token = this.peek(distance)
    return token.text === text && (token.kind === 'mark' || token.kind === 'name')
  }

  /** Takes a mark or a bare word if it comes next. */
  accept(text: string): boolean {
    const found = this.sees(text)
    if (found) this.next()
    return found
  }

  /** Takes a mark or a bare word, or fails; `where` says what it would end or begin. */
  expect(text: string, where = ''): void {
    if (!this.accept(text)) this.fail(`"${text}"${where && ` ${where}`}`)
  }

  /** Takes a token of a kind, or fails naming what was expected. */
  take(kind: TokenKind, expected: string): Token {
    return this.peek().kind === kind ? this.next() : this.fail(expected)
  }

  /** Takes an identifier or a quoted string. */
  name(expected: string): string {
    const { kind } = this.peek()
    return kind === 'name' || kind === 'string' ? this.next().text : this.fail(expected)
  }

  /** Items between brackets, separated by commas; a comma after the last one is allowed. */
  list<T>(open: string, close: string, item: () => T): T[] {
    this.expect(open)
    const items: T[] = []
    while (!this.accept(close)) {
      items.push(item())
      if (!this.sees(close)) this.expect(',', `or "${close}"`)
    }
    return items
  }

  /** Throws `graph.syntax` at a token, the next one unless told. */
  fail(expected: string, token = this.peek()): never {
    const found = token.kind === 'end' ? 'the end of the text' : `"${token.text}"`
    this.#throw(token.at, expected, found)
  }

  #throw(at: number, expected: string, found: string): never {
    const before = this.#text.slice(0, at).split('\n')
    const where = `line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`
    throw new AlambicError('graph.syntax', `${where}: expected ${expected}, found ${found}`, {
      subject: where,
      expected,
      found,
    })
  }

  #scan(): Token {
    blank.lastIndex = this.#end
    blank.exec(this.#text)
    const at = blank.lastIndex
    if (at === this.#text.length) return { kind: 'end', text: '', at }
    for (const [kind, pattern] of patterns) {
      pattern.lastIndex = at
      const match = pattern.exec(this.#text)
      if (match === null) continue
      this.#end = pattern.lastIndex
      return { kind, text: this.#content(kind, match[0], at), at }
    }
    return this.#throw(at, 'a name, a number, a string or a mark', JSON.stringify(this.#text.slice(at, at + 1)))
  }

  #content(kind: TokenKind, text: string, at: number): string {
    if (kind === 'hash') return text.slice('sha256:'.length)
    if (kind !== 'string') return text
    try {
      return JSON.parse(text) as string
    } catch {
      return this.#throw(at, 'a JSON string', text)
    }
  }
}
