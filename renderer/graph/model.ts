/*
 * What a drawn graph is made of: plain data, so that any screen can draw one. Nodes are given in topological order, as
 * a model has them; edges join them by index.
 */

export interface GraphNode {
  /** Unique in its graph; what is selected is told by it. */
  readonly id: string
  /** The operator, or the kind of an input or output. */
  readonly label: string
  /** Its scopes are read from it: `/encoder/layer.0/MatMul`, `layer1.0.conv1`. */
  readonly name: string
  readonly kind?: 'node' | 'input' | 'output'
  /** More to show in the box when it is asked for, one line each. */
  readonly attributes?: readonly string[]
  readonly weights?: readonly string[]
}

export interface GraphEdge {
  readonly from: number
  readonly to: number
  /** Shown beside the line when there is room: the shape. */
  readonly label?: string
}

export interface GraphData {
  readonly nodes: readonly GraphNode[]
  readonly edges: readonly GraphEdge[]
}

/** Fills of boxes, by name: five steps of a scale, six categories, and the signs of a comparison. */
export const tones = [
  ...(['heat1', 'heat2', 'heat3', 'heat4', 'heat5'] as const),
  ...(['s1', 's2', 's3', 's4', 's5', 's6'] as const),
  ...(['good', 'bad', 'warn', 'info', 'none'] as const),
] as const
export type Tone = (typeof tones)[number]

/** How a box is marked. Colour never stands alone: the badge says the same in a few letters. */
export interface Mark {
  readonly tone: Tone
  readonly badge?: string
}

/** Colours and badges over a graph, and what they mean. */
export interface Overlay {
  /** What is said of these nodes together: one, or all those in a box that stands for several. */
  readonly mark: (nodes: readonly number[]) => Mark | undefined
  readonly legend: readonly { readonly tone: Tone; readonly text: string }[]
  readonly title: string
}

/** Which part of a graph is in view: the place of the window's upper left corner, and pixels for each unit. */
export interface Viewport {
  readonly x: number
  readonly y: number
  readonly zoom: number
}
