import type { builtins } from '../recipes/builtin.ts'
import { openRecipe } from '../recipes/recipe.ts'
import { cellTopic, type CellMaker } from './cells.ts'
import { numberIn, recipeOf } from './recipes.ts'

const sizes = { epochs: 10, limit: 50_000 }
type Sizes = typeof sizes

/** The built-in recipe of each of the tutorial's ways: its first step trains the teacher, its second the student. */
const recipes: Readonly<Record<string, keyof typeof builtins>> = {
  kd: 'kd-tutorial',
  cosine: 'kd-tutorial-cosine',
  regressor: 'kd-tutorial-regressor',
}

async function stepsOf(recipe: string, { epochs }: Sizes): Promise<readonly [teacher: object, student: object]> {
  const { plain } = await openRecipe(recipe, { 'steps.0.epochs': epochs, 'steps.1.epochs': epochs })
  return plain['steps'] as [object, object]
}

const cifar = ({ sizes: { limit } }: CellMaker<Sizes>) => ({ data: 'cifar-10', limit })

/**
 * PyTorch's knowledge distillation tutorial on CIFAR-10 over seeds, its settings unchanged: the teacher, the student on
 * labels alone, and by its three ways. `npm run bench -- distilled --seed 1 epochs=1 limit=5000` is a short slice.
 */
export const benchmarkDistilled = cellTopic({
  name: 'distilled',
  methods: ['teacher', 'labels', ...Object.keys(recipes)],
  seeds: [1, 2, 3],
  sizes,
  columns: [
    { title: 'test accuracy, %', of: 'accuracy' },
    { title: 'parameters', of: 'params', as: 0 },
  ],
  make: async (method, maker) => {
    const of = cifar(maker)
    const [teach, learn] = await stepsOf(recipes[method] ?? 'kd-tutorial', maker.sizes)
    const net = method === 'labels' ? 'lightnn' : 'deepnn'
    // On labels alone the student has the settings that the teacher has.
    const base = await maker.run({ recipe: recipeOf(teach), model: net, ...of })
    const report =
      method in recipes ? await maker.run({ recipe: recipeOf(learn), model: String(base['output']), ...of }) : base
    return { accuracy: numberIn(report, 'accuracy'), params: numberIn(report, 'params') }
  },
})
