import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { problemsOf } from '../graph/verify.ts'
import { AlambicError } from '../protocol/errors.ts'
import type { Case } from './corpus/case.ts'
import { corpus } from './corpus/index.ts'
import * as p from './corpus/proto.ts'
import { decodeModel, encodeModel } from './index.ts'

function outcomeOf({ bytes, limits = {} }: Case): string {
  const warnings: string[] = []
  try {
    decodeModel(bytes, { limits, onFinding: (finding) => warnings.push(finding.code) })
  } catch (error) {
    if (!(error instanceof AlambicError)) throw error
    return `${error.code}: ${error.message}`
  }
  return ['accepted', ...warnings].join(' ')
}

const names = Object.keys(corpus)
const isAccepted = (name: string) => corpus[name]?.outcome.startsWith('accepted')
const caseOf = (name: string): Case => corpus[name] as Case

test('the corpus is big', () => {
  expect(names.length).toBeGreaterThanOrEqual(150)
})

describe('crafted files', () => {
  test.for(names)('%s', (name) => {
    expect(outcomeOf(caseOf(name))).toBe(caseOf(name).outcome)
  })
})

describe('accepted files are the same model after writing and reading', () => {
  test.for(names.filter(isAccepted))('%s', (name) => {
    const model = decodeModel(caseOf(name).bytes)
    const written = encodeModel(model)
    const again = decodeModel(written)
    expect(isDeepStrictEqual(again, model)).toBe(true)
    expect(encodeModel(again)).toEqual(written)
    // The verifier may find fault with the graph, but in words.
    for (const problem of problemsOf(model.graph)) expect(problem.code).toMatch(/^graph\./)
  })
})

test('every file, cut anywhere, is refused in words or accepted', () => {
  for (const name of names) {
    const { bytes, limits } = caseOf(name)
    for (let end = 0; end < Math.min(bytes.length, 600); end++) {
      const outcome = outcomeOf({ bytes: bytes.subarray(0, end), outcome: '', ...(limits && { limits }) })
      expect(outcome).toMatch(/^(accepted|onnx\.[a-z-]+: )/)
    }
  }
})

test('a cut file is called truncated', () => {
  const bytes = p.relu()
  // Only from here on the cut is inside the graph; before, there is no graph at all.
  for (let end = 4; end < 70; end++)
    expect(() => decodeModel(bytes.subarray(0, end))).toThrow('the file ends in the middle of a field')
})

test('names in sentences do not change how the sentence is shown', () => {
  const evil = 'a\u202e"b\n\u0007'
  expect(() => decodeModel(p.model(p.graphOf(p.node('', [], ['y'], p.text(3, evil)))))).toThrow(
    'node "a\\u{202e}\\"b\\u{a}\\u{7}" (?) does not say which operator it is',
  )
})

test('errors carry what was expected, what was found and what to do', () => {
  const bytes = p.withTensor(p.tensor(1, [2, 2], 'w', p.rawData(8)))
  const error = (() => {
    try {
      return decodeModel(bytes)
    } catch (thrown) {
      return thrown as AlambicError
    }
  })() as AlambicError
  expect(error.subject).toBe('initializer "w"')
  expect(error.describe()).toMatchInlineSnapshot(`
    "initializer "w" holds 8 bytes, its dimensions need 16
    expected: 16 bytes
    found: 8 bytes
    what to do: Export the model again: the tensor is damaged."
  `)
})
