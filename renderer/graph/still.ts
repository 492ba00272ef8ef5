import { browserEngine } from './elk-worker.ts'
import { groupSize, groupTitle, linesOf, nodeSize, type Shown } from './labels.ts'
import { layoutTree } from './layout.ts'
import { Levels } from './levels.ts'
import type { GraphData, Overlay } from './model.ts'
import type { Face, Picture, Theme } from './paint.ts'
import { sceneOf } from './scene.ts'
import { foldGraph, openAtFirst } from './tree.ts'

interface Still {
  readonly graph: GraphData
  readonly overlay: Overlay
  readonly theme: Theme
  /** `240 nodes`, in the language of the screen. */
  readonly nodes: (count: number) => string
}

const shown: Shown = { names: true, attributes: false, weights: false }

/** A graph as it opens at first, laid out once for a file: nothing of it is on the screen. */
export async function stillPicture({ graph, overlay, theme, nodes }: Still): Promise<Picture> {
  const tree = foldGraph(graph)
  const opened = openAtFirst(tree, graph.nodes.length)
  const open = new Set([...opened].flatMap((key) => tree.byKey.get(key) ?? []).filter((id) => id > 0))
  const titleOf = (group: number): string => {
    const found = tree.groups[group]
    return found ? groupTitle(found, { nodes }) : ''
  }
  const insideOf = (child: number) => tree.groups[~child]?.nodes ?? []
  const size = (child: number) => {
    if (child < 0) return groupSize(titleOf(~child), nodes(insideOf(child).length))
    const node = graph.nodes[child]
    return node ? nodeSize(node, shown) : { width: 0, height: 0 }
  }
  const engine = browserEngine()
  try {
    const input = { tree, levels: new Levels(graph, tree), size, open }
    const laid = await layoutTree(input, engine.layout, new Map(), new AbortController().signal)
    const face = ({ child }: { readonly child: number }): Face => {
      if (child < 0) {
        const inside = insideOf(child)
        return { title: titleOf(~child), lines: [nodes(inside.length)], kind: 'group', mark: overlay.mark(inside) }
      }
      const node = graph.nodes[child]
      if (!node) return { title: '', lines: [], kind: 'node' }
      return { title: node.label, lines: linesOf(node, shown), kind: node.kind ?? 'node', mark: overlay.mark([child]) }
    }
    return { scene: sceneOf(laid), face, selected: undefined, found: new Set(), theme, label: () => '' }
  } finally {
    engine.dispose()
  }
}
