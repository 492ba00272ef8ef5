import { describe, expect, test } from 'vitest'
import { modelOf } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { PREPROCESSING, preprocessingFor, withPreprocessing } from './metadata.ts'
import { Preprocessing } from './preprocessing.ts'

const data = { id: 'mnist', sample: { height: 28, width: 28, channels: 1 } }
const model = modelOf(parse('graph (x: f32[N,1,28,28]) -> (y) { y = Relu(x) }'))
const own = Preprocessing.parse({ mean: [0.1307], std: [0.3081] })

describe('the preprocessing in a model file', () => {
  test('stands before the preset of the data set, and behind what is given', () => {
    expect(preprocessingFor(data, model)).toMatchObject({ mean: [0] })
    expect(preprocessingFor(data, withPreprocessing(model, own))).toEqual(own)
    expect(preprocessingFor(data, withPreprocessing(model, own), Preprocessing.parse({ mean: [0.5] }))).toMatchObject({
      mean: [0.5],
    })
  })

  test('keeps the other metadata', () => {
    const described = { ...model, metadata: new Map([['author', 'someone']]) }
    expect([...withPreprocessing(described, own).metadata.keys()]).toEqual(['author', PREPROCESSING])
  })

  test('is refused when it makes no sense or does not fit', () => {
    const broken = { ...model, metadata: new Map([[PREPROCESSING, '{"scale":-1}']]) }
    expect(() => preprocessingFor(data, broken)).toThrow(
      expect.objectContaining({ code: 'data.metadata', found: '{"scale":-1}' }),
    )
    const flat = withPreprocessing(model, Preprocessing.parse({ layout: 'flat' }))
    expect(() => preprocessingFor(data, flat)).toThrow(expect.objectContaining({ code: 'data.shape', subject: 'x' }))
  })
})
