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
