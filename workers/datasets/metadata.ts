import type { Model } from '../graph/graph.ts'
import { AlambicError } from '../protocol/errors.ts'
import { preprocessorFor } from './model-input.ts'
import { Preprocessing } from './preprocessing.ts'
import type { Dataset } from './types.ts'

/** The key of a model file's metadata under which the preprocessing that it was trained with is kept, as JSON. */
export const PREPROCESSING = 'alambic.preprocessing'

/** The same model, saying how its samples are to be preprocessed. */
export const withPreprocessing = (model: Model, preprocessing: Preprocessing): Model => ({
  ...model,
  metadata: new Map([...model.metadata, [PREPROCESSING, JSON.stringify(preprocessing)]]),
})

/**
 * How a data set's samples are fed to a model: as `given`, else as the model's file says, else by the data set's
 * preset. Throws `data.shape` where that does not fit, `data.metadata` where the file's entry can't be read.
 */
export function preprocessingFor(
  data: Pick<Dataset, 'id' | 'sample'>,
  model: Model,
  given?: Preprocessing,
): Preprocessing {
  return preprocessorFor(data, model.graph, given ?? written(model))
}

function written({ metadata }: Model): Preprocessing | undefined {
  const text = metadata.get(PREPROCESSING)
  if (text === undefined) return undefined
  try {
    return Preprocessing.parse(JSON.parse(text))
  } catch (cause) {
    throw new AlambicError('data.metadata', `the model's metadata "${PREPROCESSING}" can't be read`, {
      subject: PREPROCESSING,
      expected: 'a preprocessing as JSON, such as {"scale":0.00392156862745098,"mean":[0],"std":[1]}',
      found: text.length > 200 ? `${text.slice(0, 200)} …` : text,
      fix: 'Give the preprocessing yourself, or remove that entry from the file.',
      cause,
    })
  }
}
