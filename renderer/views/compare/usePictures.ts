import { shallowRef, watch } from 'vue'
import type { Picture, RunPlan, SampleImage } from '../../../workers/protocol/studio.ts'
import { useHost } from '../../stores/host.ts'
import { useNotices } from '../../stores/notices.ts'

/** Data of a project. */
export interface DataOf {
  readonly project: string
  readonly choice: RunPlan['data']
}

/** Most that one question asks for. */
const MOST = 500

/** The pictures of samples that are shown, each asked for once. */
export function usePictures(data: () => DataOf | undefined, wanted: () => readonly number[]) {
  const host = useHost()
  const notices = useNotices()
  const pictures = shallowRef(new Map<number, Picture>())

  watch(
    () => {
      const of = data()
      return `${of?.project} ${JSON.stringify(of?.choice)}`
    },
    () => (pictures.value = new Map()),
  )
  watch(
    () => [data(), wanted()] as const,
    async ([of, indices]) => {
      const missing = indices.filter((index) => !pictures.value.has(index)).slice(0, MOST)
      if (missing.length === 0 || !of) return
      try {
        const more = await host.call('pictures', { data: of, indices: missing })
        pictures.value = new Map([...pictures.value, ...more.map((one): [number, Picture] => [one.index, one])])
      } catch (thrown) {
        notices.fail(thrown)
      }
    },
    { immediate: true },
  )

  return { imageOf: (index: number): SampleImage | undefined => pictures.value.get(index)?.image }
}
