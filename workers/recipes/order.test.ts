import { expect, test } from 'vitest'
import { builtins } from './builtin.ts'
import { orderWarnings } from './order.ts'
import { checkRecipe, openRecipe } from './recipe.ts'

const recipe = (...steps: readonly string[]) =>
  checkRecipe({ alambic: 1, name: 'test', steps: steps.map((step) => ({ step })) })

test.each(Object.keys(builtins))('the built-in recipe "%s" opens and is in a safe order', async (name) => {
  const opened = await openRecipe(name)
  expect(opened.name).toBe(name)
  expect(opened.title).not.toBe('')
  expect(orderWarnings(opened)).toEqual([])
})

test('the built-in recipes are there', () => {
  expect(Object.keys(builtins).toSorted()).toEqual(
    expect.arrayContaining([
      'deep-compression',
      'everything',
      'kd-tutorial',
      'low-rank-int8',
      'mobile-int8',
      'thin-and-distil',
    ]),
  )
})

test.each([
  [['factorize', 'prune'], 'step 1 (factorize) before step 2 (prune): the thin layers between the factors'],
  [
    ['prune-retrain', 'finetune'],
    'step 1 (prune-retrain) before step 2 (finetune): training lets the zeros grow again',
  ],
  [['cluster', 'train'], 'step 1 (cluster) before step 2 (train): weights that share a value'],
  [['cluster', 'quantize'], 'step 1 (cluster) before step 2 (quantize): shared values and int8 are alternatives'],
  [['train', 'pack', 'quantize'], 'step 2 (pack) before step 3 (quantize): the container holds the model as it was'],
])('%j is warned of', (steps, start) => {
  expect(orderWarnings(recipe(...steps))).toEqual([expect.stringContaining(start)])
})

test('a safe order is not warned of', () => {
  expect(
    orderWarnings(recipe('train', 'prune', 'distil', 'factorize', 'finetune', 'prune-retrain', 'cluster', 'pack')),
  ).toEqual([])
})
