import type { ComposerTranslation } from 'vue-i18n'
import { nodeStatuses, type GraphDiff, type ModelPlace } from '../../../workers/protocol/studio.ts'
import type { Format } from '../../format/format.ts'
import type { Overlay } from '../../graph/model.ts'
import type { Theme } from '../../graph/paint.ts'
import { stillPicture } from '../../graph/still.ts'
import { svgOf } from '../../graph/svg.ts'
import type { useHost } from '../../stores/host.ts'
import { drawnOf } from '../inspect/drawn.ts'
import { markOf, statusMarks } from './marks.ts'

type Side = 'before' | 'after'

/** What differs, marked in one of the graphs; `rowOf` tells the place in the model's nodes of each drawn node. */
export const diffOverlay = (diff: GraphDiff, side: Side, rowOf: Int32Array, t: ComposerTranslation): Overlay => ({
  title: t('compare.overlay'),
  mark: markOf(diff, side, rowOf),
  legend: nodeStatuses
    .filter((status) => statusMarks[status].badge !== undefined && diff.counts[status] > 0)
    .map((status) => ({
      tone: statusMarks[status].tone,
      text: `${statusMarks[status].badge ?? ''} ${t(`compare.statusName.${status}`)}`,
    })),
})

interface Wanted {
  readonly host: ReturnType<typeof useHost>
  readonly before: ModelPlace
  readonly after: ModelPlace
  readonly diff: GraphDiff
  readonly names: Readonly<Record<Side, string>>
  readonly t: ComposerTranslation
  readonly format: Format
  readonly theme: Theme
}

/** Both graphs for a file, each with what differs marked in it and a line that says what the marks mean. */
export async function drawings({ host, before, after, diff, names, t, format, theme }: Wanted) {
  const nodes = (count: number) => t('graph.nodes', { n: format.integer(count) }, count)
  const one = async (side: Side, place: ModelPlace) => {
    const { graph, rowOf } = drawnOf(await host.call('modelSheet', { ...place }))
    const overlay = diffOverlay(diff, side, rowOf, t)
    const title = t('compare.graphOf', { name: names[side] })
    const svg = svgOf(await stillPicture({ graph, overlay, theme, nodes }), title, `arrow-${side}`)
    return { svg, text: [title, ...overlay.legend.map(({ text }) => text)].join(' · ') }
  }
  return [await one('before', before), await one('after', after)]
}
