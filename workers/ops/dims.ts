import type { Dim, Shape } from '../graph/types.ts'

/**
 * Arithmetic on sizes that may be symbolic. A size is a polynomial with integer coefficients over atoms: names
 * (`N`, at least zero) and quotients (`floor((H + 1)/2)`). Sums and products have one canonical spelling,
 * so that two equal sizes are equal strings: `2*H*W + N - 1`. `'?'` in gives `'?'` out.
 */
interface Term {
  /** Sorted; empty for the constant term. */
  readonly atoms: readonly string[]
  readonly factor: number
}
type Polynomial = readonly Term[]

const UNKNOWN = '?'
/** Longer expressions help nobody and could grow without bound. */
const MAX_SPELLING = 160
const MAX_TERMS = 24
/** A spelling like (a + b)*(c + d)*… must not be multiplied out. */
const MAX_PRODUCT = 1024

// --- canonical form -------------------------------------------------------------------------------------------

const keyOf = (atoms: readonly string[]) => atoms.join('*')

function normalize(terms: readonly Term[]): Polynomial {
  const sums = new Map<string, Term>()
  for (const term of terms) {
    const key = keyOf(term.atoms)
    const factor = (sums.get(key)?.factor ?? 0) + term.factor
    sums.set(key, { atoms: term.atoms, factor })
  }
  return [...sums.values()].filter((t) => t.factor !== 0).sort(byDegreeThenName)
}

function byDegreeThenName(a: Term, b: Term): number {
  if (a.factor > 0 !== b.factor > 0 && a.atoms.length > 0 && b.atoms.length > 0) return a.factor > 0 ? -1 : 1
  if (a.atoms.length !== b.atoms.length) return b.atoms.length - a.atoms.length
  const [x, y] = [keyOf(a.atoms), keyOf(b.atoms)]
  return x < y ? -1 : x > y ? 1 : 0
}

const constant = (value: number): Polynomial => (value === 0 ? [] : [{ atoms: [], factor: value }])
const atom = (name: string): Polynomial => [{ atoms: [name], factor: 1 }]
const constantPart = (p: Polynomial): number => p.find((t) => t.atoms.length === 0)?.factor ?? 0

const times = (a: Polynomial, b: Polynomial): Polynomial =>
  normalize(a.flatMap((x) => b.map((y) => ({ atoms: [...x.atoms, ...y.atoms].sort(), factor: x.factor * y.factor }))))

const plus = (a: Polynomial, b: Polynomial): Polynomial => normalize([...a, ...b])
const scaled = (a: Polynomial, k: number): Polynomial => a.map((t) => ({ ...t, factor: t.factor * k }))

function spell(p: Polynomial): Dim {
  if (p.length > MAX_TERMS || p.some((t) => !Number.isSafeInteger(t.factor))) return UNKNOWN
  const [first] = p
  if (!first) return 0
  if (p.length === 1 && first.atoms.length === 0) return first.factor
  const [only] = first.atoms
  if (p.length === 1 && first.atoms.length === 1 && first.factor === 1 && only !== undefined) return unquote(only)
  const text = spellSum(p)
  return text.length > MAX_SPELLING ? UNKNOWN : text
}

const spellSum = (p: Polynomial): string =>
  p
    .map((t, i) => {
      const size = Math.abs(t.factor)
      const body = [...(size === 1 && t.atoms.length > 0 ? [] : [String(size)]), ...t.atoms].join('*')
      const sign = t.factor < 0 ? (i === 0 ? '-' : ' - ') : i === 0 ? '' : ' + '
      return sign + body
    })
    .join('')

// --- reading ----------------------------------------------------------------------------------------------------

const plainName = /^[A-Za-z_][\w.]*$/
/** A name that is no identifier, so that it can stand in an expression. */
const quote = (name: string) => (plainName.test(name) ? name : `\`${name.replaceAll('`', '‘')}\``)
const unquote = (name: string) => (name.startsWith('`') ? name.slice(1, -1) : name)

const token = /\s*(?:(\d+)|([A-Za-z_][\w.]*)|(`[^`]*`)|(\/\/|[-+*/()]))/y

function tokenize(text: string): string[] | undefined {
  const tokens: string[] = []
  token.lastIndex = 0
  while (token.lastIndex < text.length) {
    const start = token.lastIndex
    const match = token.exec(text)
    if (!match) return text.slice(start).trim() === '' ? tokens : undefined
    tokens.push(match[0].trim())
  }
  return tokens
}

/** Reads an expression: the spelling made here, and the like of it that exporters write (`past + 1`, `s0 // 2`). */
class Reader {
  readonly #tokens: readonly string[]
  #at = 0

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens
  }

  all(): Polynomial | undefined {
    const sum = this.#sum()
    return sum && this.#at === this.#tokens.length ? sum : undefined
  }

  #take(expected: string): boolean {
    if (this.#tokens[this.#at] !== expected) return false
    this.#at++
    return true
  }

  #sum(): Polynomial | undefined {
    let sum = this.#take('-') ? negated(this.#product()) : this.#product()
    while (sum) {
      const sign: number = this.#take('+') ? 1 : this.#take('-') ? -1 : 0
      if (sign === 0) return sum
      const next = this.#product()
      sum = next && plus(sum, scaled(next, sign))
    }
    return undefined
  }

  #product(): Polynomial | undefined {
    let product = this.#factor()
    while (product) {
      if (this.#take('*')) {
        const next = this.#factor()
        product = next && product.length * next.length <= MAX_PRODUCT ? times(product, next) : undefined
      } else if (this.#take('//')) {
        product = this.#quotient(product)
      } else return product
    }
    return undefined
  }

  #quotient(numerator: Polynomial): Polynomial | undefined {
    const divisor = Number(this.#tokens[this.#at++])
    return Number.isInteger(divisor) && divisor > 0 ? quotient(numerator, divisor) : undefined
  }

  #factor(): Polynomial | undefined {
    const next = this.#tokens[this.#at]
    if (next === undefined) return undefined
    this.#at++
    if (next === '(') {
      const inner = this.#sum()
      return inner && this.#take(')') ? inner : undefined
    }
    if (next === 'floor' && this.#take('(')) {
      const inner = this.#product()
      const result = inner && this.#take('/') ? this.#quotient(inner) : undefined
      return result && this.#take(')') ? result : undefined
    }
    if (/^\d/.test(next)) return constant(Number(next))
    return /^[`A-Za-z_]/.test(next) ? atom(next) : undefined
  }
}

const negated = (p: Polynomial | undefined): Polynomial | undefined => p && scaled(p, -1)

const remembered = new Map<string, Polynomial>()

function polynomial(dim: Dim): Polynomial {
  if (typeof dim === 'number') return constant(dim)
  const known = remembered.get(dim)
  if (known) return known
  const tokens = dim.length <= MAX_SPELLING ? tokenize(dim) : undefined
  const read = (tokens && new Reader(tokens).all()) ?? atom(quote(dim))
  if (remembered.size > 4096) remembered.clear()
  remembered.set(dim, read)
  return read
}

// --- quotients ------------------------------------------------------------------------------------------------

const gcd = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcd(b, a % b))

/**
 * ⌊p/k⌋ in canonical form: whole multiples of k come out, the constant that stays is in [0, k), common factors
 * cancel, and ⌊(⌊x/a⌋ + c)/b⌋ = ⌊(x + ac)/(ab)⌋ keeps chains of strides short.
 */
function quotient(p: Polynomial, k: number): Polynomial {
  if (k === 1) return p
  const whole: Term[] = []
  const rest: Term[] = []
  for (const term of p) {
    const out = term.atoms.length === 0 ? Math.floor(term.factor / k) : term.factor % k === 0 ? term.factor / k : 0
    if (out !== 0) whole.push({ ...term, factor: out })
    if (term.factor - out * k !== 0) rest.push({ ...term, factor: term.factor - out * k })
  }
  if (rest.every((t) => t.atoms.length === 0)) return normalize(whole)
  return plus(normalize(whole), flattened(normalize(rest), k))
}

function flattened(p: Polynomial, k: number): Polynomial {
  const inner = nestedQuotient(p)
  if (inner && Number.isSafeInteger(inner.divisor * k)) {
    const sum = plus(inner.numerator, constant(inner.divisor * constantPart(p)))
    return quotient(sum, inner.divisor * k)
  }
  const common = p.filter((t) => t.atoms.length > 0).reduce((g, t) => gcd(t.factor, g), k)
  const shrunk = p.map((t) => ({ ...t, factor: Math.floor(t.factor / common) })).filter((t) => t.factor !== 0)
  if (k / common === 1) return shrunk
  const text = spellSum(shrunk)
  const bare = shrunk.length === 1 && shrunk[0]?.atoms.length === 1 && shrunk[0].factor === 1
  return atom(`floor(${bare ? text : `(${text})`}/${k / common})`)
}

const quotientSpelling = /^floor\((.*)\/(\d+)\)$/
function nestedQuotient(p: Polynomial): { numerator: Polynomial; divisor: number } | undefined {
  const [first, second] = p
  const only = first?.atoms.length === 1 && first.factor === 1 ? first.atoms[0] : undefined
  if (only === undefined || p.length > 2 || (second && second.atoms.length > 0)) return undefined
  const match = quotientSpelling.exec(only)
  return match ? { numerator: polynomial(match[1] ?? ''), divisor: Number(match[2]) } : undefined
}

/** The whole quotient of two monomial-divisible polynomials; undefined when the division is not exact. */
function exact(a: Polynomial, b: Polynomial): Polynomial | undefined {
  const [divisor] = b
  if (b.length !== 1 || !divisor) return sameTerms(a, b) ? constant(1) : undefined
  const terms: Term[] = []
  for (const term of a) {
    const atoms = [...term.atoms]
    for (const name of divisor.atoms) {
      const at = atoms.indexOf(name)
      if (at < 0) return undefined
      atoms.splice(at, 1)
    }
    if (term.factor % divisor.factor !== 0) return undefined
    terms.push({ atoms, factor: term.factor / divisor.factor })
  }
  return normalize(terms)
}

const sameTerms = (a: Polynomial, b: Polynomial): boolean =>
  a.length > 0 && spell(a) === spell(b) && spell(a) !== UNKNOWN

// --- what the rules use -----------------------------------------------------------------------------------------

export const isNumber = (dim: Dim | undefined): dim is number => typeof dim === 'number'
export const isKnown = (dim: Dim | undefined): dim is Dim => dim !== undefined && dim !== UNKNOWN

const symbolic = (a: Dim, b: Dim, f: (a: Polynomial, b: Polynomial) => Polynomial | undefined): Dim => {
  if (a === UNKNOWN || b === UNKNOWN) return UNKNOWN
  const result = f(polynomial(a), polynomial(b))
  return result ? spell(result) : UNKNOWN
}

export const add = (a: Dim, b: Dim): Dim =>
  isNumber(a) && isNumber(b) ? a + b : b === 0 ? a : a === 0 ? b : symbolic(a, b, plus)

export const subtract = (a: Dim, b: Dim): Dim =>
  isNumber(a) && isNumber(b) ? a - b : b === 0 ? a : symbolic(a, b, (x, y) => plus(x, scaled(y, -1)))

export function multiply(a: Dim, b: Dim): Dim {
  // Adding 0 keeps −0, from coming out of 0·(−1).
  if (isNumber(a) && isNumber(b)) return a * b + 0
  if (a === 0 || b === 0) return 0
  if (a === 1) return b
  return b === 1 ? a : symbolic(a, b, times)
}

/** ⌊a/b⌋ for a ≥ 0 and a known positive b; symbolic divisors must divide exactly. */
export function floorDivide(a: Dim, b: Dim): Dim {
  if (b === 1) return a
  if (isNumber(a) && isNumber(b)) return b === 0 ? UNKNOWN : Math.floor(a / b) + 0
  if (isNumber(b)) return b > 0 && a !== UNKNOWN ? spell(quotient(polynomial(a), b)) : UNKNOWN
  return exactDivide(a, b)
}

export const ceilDivide = (a: Dim, b: number): Dim => (b > 0 ? floorDivide(add(a, b - 1), b) : UNKNOWN)

/** a/b when b divides a for every value of the symbols, else `'?'`. */
export const exactDivide = (a: Dim, b: Dim): Dim => {
  if (isNumber(a) && isNumber(b)) return b !== 0 && a % b === 0 ? a / b : UNKNOWN
  return b === 0 ? UNKNOWN : symbolic(a, b, exact)
}

/** Number of elements of a shape. */
export const product = (shape: Shape): Dim => shape.reduce(multiply, 1)

/** The least value that a size can have when every name is at least zero; -Infinity when something is subtracted. */
function leastOf(dim: Dim): number {
  if (isNumber(dim)) return dim
  const p = polynomial(dim)
  return p.every((t) => t.atoms.length === 0 || (t.factor > 0 && t.atoms.every(isSize))) ? constantPart(p) : -Infinity
}

/** Names are sizes; a quotient is one when its numerator is. */
function isSize(name: string): boolean {
  const match = quotientSpelling.exec(name)
  return !match || leastOf(match[1] ?? '') >= 0
}

/** Whether a < b for every value of the symbols (true), for none (false), or for some (undefined). */
export function less(a: Dim, b: Dim): boolean | undefined {
  if (isNumber(a) && isNumber(b)) return a < b
  if (a === UNKNOWN || b === UNKNOWN) return undefined
  if (leastOf(subtract(b, a)) > 0) return true
  return leastOf(subtract(a, b)) >= 0 ? false : undefined
}

/** Whether two sizes are equal for every value of the symbols (true), for none (false), or for some (undefined). */
export function equal(a: Dim, b: Dim): boolean | undefined {
  if (isNumber(a) && isNumber(b)) return a === b
  if (a === UNKNOWN || b === UNKNOWN) return undefined
  const difference = subtract(a, b)
  if (isNumber(difference)) return difference === 0
  return leastOf(difference) > 0 || leastOf(subtract(b, a)) > 0 ? false : undefined
}

/** A size in its one canonical spelling, so that `past + 1` and `1+past` compare equal. */
export const canonical = (dim: Dim): Dim => (isNumber(dim) || dim === UNKNOWN ? dim : spell(polynomial(dim)))

/** The size after giving values (or other names) to some of its names. A name that is bound as a whole comes first. */
export function substitute(dim: Dim, bindings: ReadonlyMap<string, Dim>): Dim {
  if (isNumber(dim) || dim === UNKNOWN) return dim
  const whole = bindings.get(dim)
  if (whole !== undefined) return whole
  return polynomial(dim).reduce<Dim>((sum, term) => {
    const parts = term.atoms.map((name) => substituteAtom(name, bindings))
    return add(sum, parts.reduce(multiply, term.factor))
  }, 0)
}

function substituteAtom(name: string, bindings: ReadonlyMap<string, Dim>): Dim {
  const match = quotientSpelling.exec(name)
  if (match) return floorDivide(substitute(match[1] ?? '', bindings), Number(match[2]))
  const plain = unquote(name)
  return bindings.get(plain) ?? plain
}

/** The names that a size depends on: `['H', 'N']` for `N*floor(H/2)`. */
export function namesOf(dim: Dim): readonly string[] {
  if (isNumber(dim) || dim === UNKNOWN) return []
  const names = polynomial(dim).flatMap((t) =>
    t.atoms.flatMap((name) => {
      const match = quotientSpelling.exec(name)
      return match ? namesOf(match[1] ?? '') : [unquote(name)]
    }),
  )
  return [...new Set(names)].sort()
}

/** The better known of two sizes that must be equal, or undefined when they cannot be. */
export function unify(a: Dim, b: Dim): Dim | undefined {
  if (a === b) return a
  if (isNumber(a)) return isNumber(b) ? undefined : a
  return isNumber(b) || a === UNKNOWN ? b : a
}

/** Dimension-wise `unify`; undefined when ranks or sizes contradict. */
export function unifyShapes(a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (!a || !b) return a ?? b
  if (a.length !== b.length) return undefined
  const dims = a.map((d, i) => unify(d, b[i] ?? UNKNOWN))
  return dims.includes(undefined) ? undefined : (dims as Dim[])
}

/** What two shapes have in common: differing sizes become `'?'`, differing ranks undefined. */
export const generalize = (a: Shape | undefined, b: Shape | undefined): Shape | undefined =>
  a && b && a.length === b.length ? a.map((d, i) => (d === b[i] ? d : UNKNOWN)) : undefined

export const unknownDims = (rank: number): Shape => new Array<Dim>(rank).fill(UNKNOWN)

/** No tensor has more axes; a file that claims so must not make us build such a shape. */
const MAX_RANK = 64

/** A shape of which only the rank is known, itself perhaps unknown. */
export const openShape = (rank: Dim | undefined): Shape | undefined =>
  isNumber(rank) && Number.isInteger(rank) && rank >= 0 && rank <= MAX_RANK ? unknownDims(rank) : undefined
