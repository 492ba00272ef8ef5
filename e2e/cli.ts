import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const cli = join(import.meta.dirname, '../electron/cli/main.ts')

/** What a person does on the command line, in the data folder of a studio that is not open. */
export function alambic(home: string, ...words: string[]): void {
  const run = spawnSync(process.execPath, [cli, ...words], {
    encoding: 'utf8',
    env: { ...process.env, ALAMBIC_HOME: home },
  })
  if (run.status !== 0) throw new Error(run.stderr)
}

interface TrainAndPrune {
  /** Of the zoo, with the share of its width. */
  readonly net: string
  /** Of MNIST, for each run. */
  readonly samples: number
  /** Of the first run; the second takes one. */
  readonly epochs: number
  readonly ratio: number
}

/** Two runs in the project `digits`: a net that is trained, and that net with fewer channels. */
export function trainAndPrune(home: string, { net, samples, epochs, ratio }: TrainAndPrune): void {
  const common = ['--project', 'digits', '--data', 'mnist', '--threads', '1', '--limit', String(samples)]
  alambic(home, 'train', net, ...common, '--epochs', String(epochs), '--lr', '0.003')
  const [made = ''] = modelsOf(home)
  alambic(home, 'prune', made, ...common, '--epochs', '1', '--ratio', String(ratio), '--lr', '0.001')
}

/** A short run in a project of its own; the folder of the project's runs, and the run's name in it. */
export function trainBriefly(home: string, project: string): { readonly runs: string; readonly run: string } {
  const small = ['--project', project, '--data', 'mnist', '--threads', '1', '--limit', '300', '--epochs', '1']
  alambic(home, 'train', 'lenet-300-100@0.1', ...small)
  const runs = join(home, 'projects', project, 'runs')
  return { runs, run: readdirSync(runs)[0] ?? '' }
}

/** Files of the models of all projects in a data folder. */
export function modelsOf(home: string): string[] {
  const names = (folder: string) => (existsSync(folder) ? readdirSync(folder) : [])
  const projects = join(home, 'projects')
  return names(projects).flatMap((project) =>
    names(join(projects, project, 'models')).flatMap((id) =>
      names(join(projects, project, 'models', id))
        .filter((name) => name.endsWith('.onnx'))
        .map((name) => join(projects, project, 'models', id, name)),
    ),
  )
}
