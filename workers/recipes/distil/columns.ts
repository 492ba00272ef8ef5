import type { Graph } from '../../graph/graph.ts'
import { inferTypes } from '../../ops/infer.ts'
import type { PairPoint } from '../../protocol/files/methods.ts'
import { featurePoints, sizeOfPoint, stagesOf } from '../../train/distil/points.ts'

/** The points of a net in order, each with its size, the last of every stage marked. */
export function columnOf(graph: Graph): readonly PairPoint[] {
  const points = featurePoints(inferTypes(graph))
  const ends = new Set(stagesOf(points).map(({ point }) => point.value))
  return points.map((point) => ({ ...point, size: sizeOfPoint(point), endsStage: ends.has(point.value) }))
}
