import type { Recipe } from './recipe.ts'

/** Something that a step leaves in the model and that a later step would destroy or could not use. */
interface Rule {
  readonly first: readonly string[]
  readonly then: readonly string[]
  readonly why: string
}

const training = ['train', 'finetune', 'distil']
const structural = ['prune', 'slim', 'factorize']
const unstructured = ['prune-retrain', 'sparsify']

/**
 * What goes wrong when one step comes after another. The order that avoids all of it: cut channels and recover, factorize
 * and fine-tune, prune single weights, then either share weights or quantize, encode last (Cheng et al. 2017,
 * arXiv:1710.09282, on combining; Han, Mao & Dally 2016, arXiv:1510.00149, for the end).
 */
const rules: readonly Rule[] = [
  {
    first: ['factorize'],
    then: ['prune', 'slim'],
    why: 'the thin layers between the factors carry everything that is left of a layer: cut channels first, then factorize what remains',
  },
  {
    first: unstructured,
    then: structural,
    why: 'zeros of single weights are lost when channels go or weights are written as products: prune single weights afterwards',
  },
  {
    first: unstructured,
    then: training,
    why: 'training lets the zeros grow again: train before, or within prune-retrain, which holds them',
  },
  {
    first: ['cluster'],
    then: [...training, ...structural, ...unstructured],
    why: 'weights that share a value are trained or cut apart again: share them last, cluster fine-tunes them itself',
  },
  {
    first: ['quantize'],
    then: [...training, ...structural, ...unstructured],
    why: 'weights are integers by then: do it while they are float',
  },
  {
    first: ['cluster'],
    then: ['quantize'],
    why: 'shared values and int8 are alternatives: 8-bit steps of their own make few shared values into other ones',
  },
  {
    first: ['quantize'],
    then: ['cluster'],
    why: 'shared values and int8 are alternatives: integer weights are on a grid already',
  },
  {
    first: ['pack'],
    then: [...training, ...structural, ...unstructured, 'cluster', 'quantize'],
    why: 'the container holds the model as it was when it was packed: pack last',
  },
]

/** Two steps, by their places, that stand in an order that loses something, and what is lost. */
export interface OrderProblem {
  readonly first: number
  readonly then: number
  readonly why: string
}

export function orderProblems(ids: readonly string[]): readonly OrderProblem[] {
  return ids.flatMap((first, i) =>
    ids.slice(i + 1).flatMap((then, j) => {
      const rule = rules.find((r) => r.first.includes(first) && r.then.includes(then))
      return rule ? [{ first: i, then: i + j + 1, why: rule.why }] : []
    }),
  )
}

/** A sentence for each of them. Nothing is refused. */
export function orderWarnings(recipe: Pick<Recipe, 'steps'>): readonly string[] {
  const ids = recipe.steps.map((s) => s.description.id)
  return orderProblems(ids).map(
    ({ first, then, why }) => `step ${first + 1} (${ids[first]}) before step ${then + 1} (${ids[then]}): ${why}`,
  )
}
