import { describe, expect, test } from 'vitest'
import { en } from '../locales/en.ts'
import { zhCN } from '../locales/zh-CN.ts'
import { createFormat, type Translate } from './format.ts'

/** The phrases alone, without vue-i18n: `{name}` is replaced. */
const phrases =
  (messages: object): Translate =>
  (key, values = {}) => {
    const found = key.split('.').reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], messages)
    return String(found).replace(/\{(\w+)\}/g, (_, name: string) => String(values[name]))
  }

const english = createFormat('en', phrases(en))
const chinese = createFormat('zh-CN', phrases(zhCN))
const second = 1000
const minute = 60 * second
const hour = 60 * minute

describe('durations', () => {
  test.each([
    [0.31, '0.31 ms', '0.31 毫秒'],
    [2.64, '2.6 ms', '2.6 毫秒'],
    [8 * second, '8 s', '8 秒'],
    [4 * minute + 12 * second, '4 min 12 s', '4 分 12 秒'],
    [hour + 3 * minute, '1 h 03 min', '1 小时 03 分'],
    [5 * hour, '5 h 00 min', '5 小时 00 分'],
    [53 * hour, '2 d 5 h', '2 天 5 小时'],
  ])('%d ms is %s', (ms, inEnglish, inChinese) => {
    expect([english.duration(ms), chinese.duration(ms)]).toEqual([inEnglish, inChinese])
  })

  test.each([
    [38 * minute, 44 * minute, '38–44 min', '38–44 分钟'],
    [12 * second, 20 * second, '12–20 s', '12–20 秒'],
    [5 * minute, 5 * minute + 20 * second, '5 min', '5 分'],
    [hour, hour + 20 * minute, '1 h 00 min – 1 h 20 min', '1 小时 00 分 – 1 小时 20 分'],
    [5 * hour + 1, 5 * hour + 2, '5 h', '5 小时'],
    [10, 40, 'less than 1 s', '不到 1 秒'],
  ])('%d to %d ms is %s', (low, high, inEnglish, inChinese) => {
    expect([english.durationRange(low, high), chinese.durationRange(low, high)]).toEqual([inEnglish, inChinese])
  })
})

test('sizes are SI', () => {
  expect([0, 812, 94_312, 1_090_000, 61e9].map(english.bytes)).toEqual([
    '0 bytes',
    '812 bytes',
    '94.3 kB',
    '1.09 MB',
    '61 GB',
  ])
  expect(chinese.bytes(1_090_000)).toBe('1.09 MB')
})

test('numbers, percentages and points', () => {
  expect([0.45123, 15_482.4, 3.2e-6, -0.002, NaN, Infinity].map((v) => english.number(v))).toEqual([
    '0.4512',
    '15,482',
    '3.2E-6',
    '-0.002',
    'NaN',
    '∞',
  ])
  expect(english.percent(0.9134)).toBe('91.3 %')
  expect(english.percentWithError(0.913, 0.0031)).toBe('91.3 ± 0.3 %')
  expect(english.points(-0.0042)).toBe('−0.4 pp')
  expect(english.points(0.0123)).toBe('+1.2 pp')
  expect([70_106, 40_812_544, 999].map(english.count)).toEqual(['70.1 k', '40.8 M', '999'])
})

test('how long ago', () => {
  expect(english.ago(0, 40 * second)).toBe('40 sec. ago')
  expect(english.ago(0, 2 * hour)).toBe('2 hr. ago')
  expect(english.ago(0, 25 * hour)).toBe('yesterday')
  expect(chinese.ago(0, 2 * hour)).toBe('2小时前')
  expect(english.ago(0, 1)).toBe('now')
})
