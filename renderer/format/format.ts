/** Numbers, sizes, times and dates as people read them, through Intl in the language of the screen. */

/** Looks a phrase up in the language at hand: `t('duration.hours', {…})`. */
export type Translate = (key: string, values?: Readonly<Record<string, unknown>>) => string

export interface Format {
  readonly integer: (value: number) => string
  /** A measured number at three or four significant digits: 0.4512, 1,914. */
  readonly number: (value: number, digits?: number) => string
  /** A share of one as a percentage: 91.3 %. */
  readonly percent: (share: number, digits?: number) => string
  /** A signed difference of shares in percentage points: −0.4 pp. */
  readonly points: (difference: number, digits?: number) => string
  /** A signed relative change: −72.7 %. */
  readonly change: (share: number, digits?: number) => string
  /** A share with its standard error: 91.3 ± 0.3 %. */
  readonly percentWithError: (share: number, error: number) => string
  /** SI sizes: 1.09 MB. */
  readonly bytes: (value: number) => string
  /** Large counts: 40.8 M. */
  readonly count: (value: number) => string
  /** Milliseconds in words: 1 h 03 min, 4 min 12 s, 2.6 ms. */
  readonly duration: (ms: number) => string
  /** An estimated time as a range: 38–44 min. */
  readonly durationRange: (low: number, high: number) => string
  /** How long ago, in words. */
  readonly ago: (time: number, now: number) => string
  readonly dateTime: (time: number) => string
  readonly time: (time: number) => string
  readonly list: (items: readonly string[]) => string
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const

export function createFormat(locale: string, t: Translate): Format {
  const plain = new Intl.NumberFormat(locale)
  const whole = (value: number) => plain.format(Math.round(value))
  const fixed = cached((digits) => new Intl.NumberFormat(locale, fraction(digits)))
  const significant = cached((digits) => new Intl.NumberFormat(locale, { maximumSignificantDigits: digits }))
  const scientific = new Intl.NumberFormat(locale, { notation: 'scientific', maximumSignificantDigits: 3 })
  const two = new Intl.NumberFormat(locale, { minimumIntegerDigits: 2 })
  const signed = cached((digits) => new Intl.NumberFormat(locale, { ...fraction(digits), signDisplay: 'exceptZero' }))
  const dates = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
  const times = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' })
  const lists = new Intl.ListFormat(locale, { type: 'conjunction', style: 'long' })

  const number = (value: number, digits = 4) => {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞'
    const size = Math.abs(value)
    return size !== 0 && (size < 1e-4 || size >= 1e9)
      ? scientific.format(value)
      : size >= 1000
        ? whole(value)
        : significant(digits).format(value)
  }
  const percent = (share: number, digits = 1) => `${fixed(digits).format(100 * share)} %`
  const duration = (ms: number) =>
    durationText(ms, {
      t,
      whole,
      two: (value) => two.format(value),
      short: (value) => significant(2).format(value),
    })

  return {
    integer: whole,
    number,
    percent,
    points: (difference, digits = 1) =>
      `${signed(digits)
        .format(100 * difference)
        .replace('-', '−')} pp`,
    change: (share, digits = 1) =>
      `${signed(digits)
        .format(100 * share)
        .replace('-', '−')} %`,
    percentWithError: (share, error) => `${fixed(1).format(100 * share)} ± ${fixed(1).format(100 * error)} %`,
    bytes: (value) => bytesText(value, locale),
    count: (value) => countText(value, (scaled) => significant(3).format(scaled)),
    duration,
    durationRange: (low, high) => rangeText(low, high, duration, t),
    ago: (time, now) => agoText(time - now, locale),
    dateTime: (time) => dates.format(time),
    time: (time) => times.format(time),
    list: (items) => lists.format(items),
  }
}

const fraction = (digits: number) => ({ minimumFractionDigits: digits, maximumFractionDigits: digits })

function cached<T>(make: (digits: number) => T): (digits: number) => T {
  const known = new Map<number, T>()
  return (digits) => {
    const found = known.get(digits) ?? make(digits)
    known.set(digits, found)
    return found
  }
}

interface Words {
  readonly t: Translate
  readonly whole: (value: number) => string
  readonly two: (value: number) => string
  readonly short: (value: number) => string
}

function durationText(ms: number, { t, whole, two, short }: Words): string {
  if (ms < SECOND) return t('duration.milliseconds', { ms: short(Math.max(0, ms)) })
  const seconds = Math.round(ms / SECOND)
  if (seconds < 60) return t('duration.seconds', { s: whole(seconds) })
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return t('duration.minutes', { m: whole(minutes), s: two(seconds % 60) })
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return t('duration.hours', { h: whole(hours), m: two(minutes % 60) })
  return t('duration.days', { d: whole(Math.floor(hours / 24)), h: whole(hours % 24) })
}

/** Both ends rounded to what an estimate is good for; one value where they agree. */
function rangeText(low: number, high: number, duration: (ms: number) => string, t: Translate): string {
  const unit = high >= 2 * HOUR ? 5 * MINUTE : high >= 2 * MINUTE ? MINUTE : SECOND
  const [a, b] = [Math.round(low / unit) * unit, Math.round(high / unit) * unit]
  if (b === 0) return t('duration.soon')
  if (a === b) return duration(b).replace(/ 00 \S+$/, '')
  if (b < HOUR) {
    const inMinutes = unit >= MINUTE
    const [from, to] = [a, b].map((ms) => String(ms / (inMinutes ? MINUTE : SECOND)))
    return t(inMinutes ? 'duration.rangeMinutes' : 'duration.rangeSeconds', { from, to })
  }
  return t('duration.range', { from: duration(a), to: duration(b) })
}

function bytesText(value: number, locale: string): string {
  const size = Math.abs(value)
  const power = size < 1000 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log10(size) / 3))
  const unit = SIZES[power] ?? 'byte'
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit,
    unitDisplay: power === 0 ? 'long' : 'short',
    maximumSignificantDigits: 3,
  }).format(value / 1000 ** power)
}

function countText(value: number, digits: (value: number) => string): string {
  const units = ['', ' k', ' M', ' G', ' T']
  const power = Math.abs(value) < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(Math.abs(value)) / 3))
  return `${digits(value / 1000 ** power)}${units[power] ?? ''}`
}

function agoText(difference: number, locale: string): string {
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' })
  const size = Math.abs(difference)
  if (size < 5 * SECOND) return relative.format(0, 'second')
  for (const [unit, length] of [
    ['day', DAY],
    ['hour', HOUR],
    ['minute', MINUTE],
    ['second', SECOND],
  ] as const)
    if (size >= length) return relative.format(Math.round(difference / length), unit)
  return relative.format(0, 'second')
}
