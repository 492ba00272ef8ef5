import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const css = readFileSync(join(import.meta.dirname, 'tokens.css'), 'utf8')

/** Light and dark of every token that is one colour. */
const tokens = new Map(
  [...css.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map(([, name, ...both]) => [
    name,
    both,
  ]),
)

/** Relative luminance, WCAG 2.2. */
const luminance = (hex: string): number => {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

const contrast = (a: string, b: string): number => {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
  return (high + 0.05) / (low + 0.05)
}

const surfaces = ['bg', 'surface', 'sunken']
const texts = ['text', 'muted', 'faint', 'accent', 'bad', 'good', 'warn', 'info']
const pairs: [string, string, number][] = [
  ...texts.flatMap((text) => surfaces.map((on): [string, string, number] => [text, on, 4.5])),
  ...['s1', 's2', 's3', 's4', 's5', 's6'].flatMap((line) =>
    surfaces.map((on): [string, string, number] => [line, on, 3]),
  ),
  ...[1, 2, 3, 4, 5].map((step): [string, string, number] => ['text', `heat${step}`, 4.5]),
  ...[1, 2, 3, 4, 5, 6].map((i): [string, string, number] => ['text', `s${i}-fill`, 4.5]),
  ['field-line', 'surface', 3],
  ['on-accent', 'accent', 4.5],
  ['on-accent', 'accent-strong', 4.5],
  ['accent-strong', 'accent-soft', 4.5],
  ['good', 'good-soft', 4.5],
  ['bad', 'bad-soft', 4.5],
  ['warn', 'warn-soft', 4.5],
  ['info', 'info-soft', 4.5],
  ['surface', 'good', 3],
]

test.each(pairs)('%s on %s has a contrast of at least %d in both themes', (front, back, least) => {
  for (const theme of [0, 1]) {
    const [a, b] = [tokens.get(front)?.[theme] ?? '', tokens.get(back)?.[theme] ?? '']
    expect(contrast(a, b)).toBeGreaterThanOrEqual(least)
  }
})
