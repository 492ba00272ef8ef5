import { expect, test } from 'vitest'
import { buildZoo } from '../zoo/index.ts'
import { activationBytes, countsOf, foresee } from './estimate.ts'
import { openRecipe } from './recipe.ts'

const model = buildZoo('lenet-5', { seed: 1 })
const open = async () => buildZoo('lenet-5', { seed: 1, width: 0.25 })

async function after(...steps: object[]) {
  const recipe = await openRecipe({ alambic: 1, name: 'r', steps })
  return (await foresee(recipe, model, { open, seed: 1 })).map(countsOf)
}

/** 20·25+20 + 50·500+50 + 500·800+500 + 10·500+10, and so with half of the channels. */
const whole = { params: 431_080, macs: 2_293_000, bytes: 1_724_320 }
const half = 10 * 25 + 10 + 25 * 250 + 25 + 250 * 400 + 250 + 10 * 250 + 10

test('half of the channels, and what follows of them', async () => {
  const [cut, trained] = await after({ step: 'prune', ratio: 0.5 }, { step: 'finetune' })
  expect(cut).toMatchObject({ params: half, bytes: 4 * half, basis: ['cut'] })
  expect(trained).toMatchObject({ params: half, macs: cut?.macs, basis: ['same'] })
})

test('scores that need data are replaced, and that is said', async () => {
  const [cut] = await after({ step: 'prune', method: 'taylor', ratio: 0.5 })
  expect(cut).toMatchObject({ params: half, basis: ['cutByWeights'] })
})

test('bits change the size, not what is counted', async () => {
  const [quantized] = await after({ step: 'quantize' })
  const weights = 20 * 25 + 50 * 500 + 500 * 800 + 10 * 500
  expect(quantized).toMatchObject({ params: whole.params, macs: whole.macs, bytes: whole.bytes - 3 * weights })
  const [half16] = await after({ step: 'quantize', mode: 'fp16' })
  expect(half16?.bytes).toBe(whole.bytes / 2)
})

test('zeros and shared values leave the file as it is', async () => {
  expect(await after({ step: 'prune-retrain' }, { step: 'cluster' })).toEqual([
    { ...whole, basis: ['zeros'] },
    { ...whole, basis: ['zeros'] },
  ])
})

test('what cannot be known is not told, nor is what comes after', async () => {
  expect(await after({ step: 'prune', budget: 'latency=50%' }, { step: 'finetune' })).toEqual([
    { basis: ['latencyBudget'] },
    { basis: ['before'] },
  ])
})

test('a student takes the place of the model', async () => {
  const thin = countsOf({ model: await open(), share: 1, basis: ['student'] })
  expect(await after({ step: 'distil', student: 'other.onnx' })).toEqual([thin])
  const [made] = await after({ step: 'distil', student: 'thin:0.5' })
  expect(made).toMatchObject({ params: half, basis: ['student'] })
})

test('activations grow with the batch', () => {
  const one = activationBytes(model, 1) ?? 0
  expect(one).toBeGreaterThan(4 * (20 * 24 * 24 + 50 * 8 * 8 + 500 + 10))
  expect(activationBytes(model, 64)).toBe(64 * one)
})
