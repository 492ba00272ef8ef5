import { useI18n } from 'vue-i18n'
import type { ModelInfo } from '../../workers/protocol/studio.ts'
import type { Report } from '../../workers/protocol/worker.ts'
import { measured } from './measured.ts'
import { useFormat } from './useFormat.ts'

/** What tables say of a model: where it is from and what was measured of it; a dash where nothing was. */
export function useModelText() {
  const { t } = useI18n()
  const format = useFormat()
  const show = (value: number | undefined, as: (value: number) => string): string =>
    value === undefined ? '–' : as(value)
  const share = (value: number | undefined, error: number | undefined): string =>
    show(value, (known) => format.value.percentWithError(known, error ?? 0))
  const duration = (ms: number | undefined): string => show(ms, format.value.duration)
  return {
    show,
    share,
    duration,
    bytes: (value: number | undefined): string => show(value, format.value.bytes),
    origin: ({ origin: from }: ModelInfo): string =>
      from.kind === 'import' ? t('project.imported') : t('project.fromRun', { recipe: from.recipe }),
    accuracy(report: Report | undefined): string {
      const found = measured(report)
      return share(found?.accuracy, found?.accuracyError)
    },
    latency: (report: Report | undefined): string => duration(measured(report)?.latencyMs),
  }
}
