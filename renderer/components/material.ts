import type { Catalog, DatasetInfo, ModelInfo, RunPlan } from '../../workers/protocol/studio.ts'

type Material = Pick<RunPlan, 'model' | 'data'>

const split = (choice: string): [string, string] => {
  const at = choice.indexOf(':')
  return [choice.slice(0, at), choice.slice(at + 1)]
}

/** The choices of `MaterialFields` as calls take them; undefined until both are made. */
export function materialOf(model: string, data: string): Material | undefined {
  const [modelKind, modelId] = split(model)
  const [dataKind, dataId] = split(data)
  if (modelId === '' || dataId === '') return undefined
  return {
    model: modelKind === 'zoo' ? { kind: 'zoo', id: modelId } : { kind: 'model', model: modelId },
    data: dataKind === 'named' ? { kind: 'named', id: dataId } : { kind: 'dataset', dataset: dataId },
  }
}

/** What is taken before anybody chose: the project's own first. */
export function firstMaterial(catalog: Catalog, models: readonly ModelInfo[], datasets: readonly DatasetInfo[]) {
  const model = models.find(({ problem }) => !problem)
  const set = datasets.find(({ problem }) => !problem)
  const named = catalog.datasets.find(({ present }) => present)
  return {
    model: model ? `model:${model.model}` : `zoo:${catalog.zoo[0]?.id ?? ''}`,
    data: set ? `dataset:${set.dataset}` : `named:${named?.id ?? ''}`,
  }
}
