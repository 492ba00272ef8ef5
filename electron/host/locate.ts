import { AlambicError } from '../../workers/protocol/errors.ts'
import type { DatasetInfo } from '../../workers/protocol/studio.ts'
import type { Handlers } from './api.ts'
import type { Host } from './host.ts'

/** Files that were linked and have moved: the person says where they are, and they must be what they were. */
export const locating: Pick<Handlers, 'locateModel' | 'locateDataset'> = {
  locateModel: async (host, { project, model, path }) => {
    const place = await host.paths.check(path)
    const found = await host.project(project).writable().models.locate(model, place)
    host.hub.emit({ kind: 'contents', project, what: 'models' })
    return found
  },
  locateDataset: async (host, { project, dataset, path }) => {
    const found = await locateDataset(host, project, dataset, await host.paths.check(path))
    host.hub.emit({ kind: 'contents', project, what: 'datasets' })
    return found
  },
}

async function locateDataset(host: Host, id: string, dataset: string, path: string): Promise<DatasetInfo> {
  const project = host.project(id).writable()
  const known = project.file.datasets.find((one) => one.dataset === dataset)
  if (!known) throw new AlambicError('data.unknown', 'there is no such data set in this project', { subject: dataset })
  const { hash } = await host.service.call('describe', { data: path })
  if (known.hash !== undefined && hash !== known.hash) {
    throw new AlambicError('data.other', 'the data there is other data', {
      subject: path,
      expected: known.hash,
      found: String(hash),
      fix: 'Choose the data with the same samples, or import this as a new data set.',
    })
  }
  const datasets = project.file.datasets.map((one) =>
    one.dataset === dataset ? { ...one, reference: path, linked: true } : one,
  )
  await project.change({ datasets })
  const moved = project.datasets().find((one) => one.dataset === dataset)
  if (!moved) throw new AlambicError('data.unknown', 'there is no such data set in this project', { subject: dataset })
  return moved
}
