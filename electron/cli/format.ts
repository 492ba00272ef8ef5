/** Numbers as people read them: unit, uncertainty, SI sizes, times in words. */

export const integer = (value: number): string => new Intl.NumberFormat('en').format(value)

/** Bytes in SI units: 1.09 MB. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let scaled = value
  let unit = 0
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000
    unit++
  }
  return `${unit === 0 ? scaled : scaled.toPrecision(3)} ${units[unit]}`
}

/** Large counts: 40.8 M, 4.09 G. */
export function count(value: number): string {
  const units = ['', ' k', ' M', ' G', ' T']
  let scaled = value
  let unit = 0
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000
    unit++
  }
  return unit === 0 ? String(value) : `${scaled.toPrecision(3)}${units[unit]}`
}

/** Milliseconds in words: 1 h 03 min, 4 min 12 s, 8 s, 2.6 ms. */
export function duration(ms: number): string {
  if (ms < 1000) return `${ms.toPrecision(2)} ms`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, '0')} s`
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

export const percent = (share: number, digits = 2): string => `${(100 * share).toFixed(digits)} %`

/** Columns padded to the widest cell; columns of numbers are right-aligned, all others left. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = (rows[0] ?? []).map((_, column) => rows.map((row) => row[column] ?? ''))
  const widths = columns.map((cells) => Math.max(...cells.map((cell) => cell.length)))
  const isText = columns.map((cells, i) => i === 0 || !cells.slice(1).some((cell) => /^[−+-]?\d/.test(cell)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => (isText[i] ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
