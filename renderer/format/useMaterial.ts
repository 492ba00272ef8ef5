import { useI18n } from 'vue-i18n'
import type { DatasetInfo, Found, Project } from '../../workers/protocol/studio.ts'

/** What models and data are, in the language of the screen: told from their facts, not from the host's words. */
export function useMaterial() {
  const { t } = useI18n()

  function dataText(images: boolean, classes: readonly unknown[] | undefined): string {
    const what = t(images ? 'material.images' : 'material.tensors')
    return classes ? t('material.withClasses', { what, n: classes.length }, classes.length) : what
  }

  const ofData = ({ shape, classes }: Pick<DatasetInfo, 'shape' | 'classes'>): string =>
    dataText(shape?.length === 3, classes)

  const finders: Readonly<Record<Found['kind'], (details: Found['details']) => string>> = {
    model: (details) => {
      const { opsets } = details as { opsets?: Readonly<Record<string, number>> }
      const opset = opsets?.['ai.onnx']
      return opset === undefined ? 'ONNX' : t('material.onnx', { opset })
    },
    dataset: (details) => {
      const { kind, classes } = details as { kind?: string; classes?: readonly string[] }
      return kind === undefined ? t('import.kindDataset') : dataText(kind === 'images', classes)
    },
    recipe: (details) => {
      const { stages } = details as { stages?: readonly unknown[] }
      return stages ? t('material.steps', { n: stages.length }, stages.length) : t('import.kindRecipe')
    },
    unknown: () => t('import.kindUnknown'),
  }
  const ofFound = ({ kind, details }: Found): string => finders[kind](details)

  const task = ({ task: known }: Project): string => t(known === undefined ? 'projects.noTask' : `material.${known}`)

  return { ofData, ofFound, task }
}
