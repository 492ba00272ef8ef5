import type { StudioResults } from '../../workers/protocol/studio.ts'
import type { Host } from './host.ts'
import { languageOf, type Language } from './language.ts'
import { createRun } from './new-run.ts'

/** A run that shows within a minute what Alambic does: a teacher is trained, then distilled into a small student. */
const recipe = {
  alambic: 1,
  name: 'sample',
  steps: [
    { step: 'train', epochs: 2, batch: 128, lr: 0.002, validation: 5000 },
    {
      step: 'distil',
      student: 'lenet-5@0.25',
      epochs: 3,
      batch: 128,
      lr: 0.004,
      temperature: 4,
      alpha: 0.7,
      validation: 5000,
    },
  ],
}

/** Names are the person's to change, and therefore given once, in the language of the first launch. */
const names: Readonly<Record<Language, { readonly project: string; readonly run: string; readonly recipe: string }>> = {
  en: {
    project: 'MNIST sample',
    run: 'Sample: distil LeNet-5',
    recipe: 'Train a teacher, distil a student',
  },
  'zh-CN': { project: 'MNIST 示例', run: '示例：蒸馏 LeNet-5', recipe: '训练教师，蒸馏学生' },
}

/** The sample project: real images, a real run, which starts when there is none yet. */
export async function openSample(host: Host): Promise<StudioResults['openSample']> {
  const words = names[languageOf(host.settings.get().language)]
  const known = [...host.projects.values()].find(({ file }) => file.sample)
  const project = known ?? (await host.create(words.project, undefined, true))
  if (!known) {
    const details = await host.service.call('describe', { data: 'mnist' })
    await project.change({
      datasets: [
        {
          dataset: 'mnist',
          name: 'MNIST',
          reference: 'mnist',
          kind: 'named',
          format: 'images, 10 classes',
          samples: details['samples'] as Record<string, number>,
          classes: details['classes'] as string[],
          shape: details['shape'] as number[],
          hash: details['hash'] as string,
          linked: true,
        },
      ],
    })
  }
  const last = [...project.runs.values()].at(-1)
  if (last || !project.isHeld) return { project: project.summary(), ...(last ? { run: last.summary() } : {}) }
  const run = await createRun(host, {
    project: project.id,
    title: words.run,
    model: { kind: 'zoo', id: 'lenet-5' },
    data: { kind: 'dataset', dataset: 'mnist' },
    recipe: { ...recipe, title: words.recipe },
    set: {},
    seed: 42,
    checkpointEvery: 10,
  })
  return { project: project.summary(), run: run.summary() }
}
