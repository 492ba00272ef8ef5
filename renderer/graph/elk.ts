import type { ELK, ElkExtendedEdge, ElkNode } from 'elkjs/lib/elk-api.js'
import type { Engine, FlatGraph, FlatLayout } from './layout.ts'

const options: Readonly<Record<string, string>> = {
  'elk.algorithm': 'layered',
  'elk.direction': 'DOWN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.spacing.nodeNode': '22',
  'elk.spacing.edgeNode': '12',
  'elk.spacing.edgeEdge': '8',
  'elk.layered.spacing.nodeNodeBetweenLayers': '22',
  'elk.layered.spacing.edgeNodeBetweenLayers': '10',
  'elk.layered.nodePlacement.strategy': 'BRANDES_KOEPF',
  'elk.layered.nodePlacement.bk.fixedAlignment': 'BALANCED',
  // Boxes side by side stand in the order of the model, so that the same picture comes every time.
  'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES',
  'elk.padding': '[top=0,left=0,bottom=0,right=0]',
}

const layerConstraint = { first: 'FIRST', last: 'LAST' } as const

const port = (id: string, x: number, y: number, side: string) => ({
  id,
  x,
  y,
  width: 0,
  height: 0,
  layoutOptions: { 'elk.port.side': side },
})

/** A flat graph in the form of the Eclipse Layout Kernel. */
export function toElk({ boxes, lines }: FlatGraph): ElkNode {
  const bounded = boxes.some(({ at }) => at !== undefined)
  return {
    id: 'root',
    layoutOptions: { ...options, 'elk.separateConnectedComponents': String(!bounded) },
    children: boxes.map(({ width, height, top = [], bottom = [], at }, i) => ({
      id: `n${i}`,
      width,
      height,
      ...(top.length + bottom.length > 0
        ? {
            ports: [
              ...top.map((x, k) => port(`n${i}t${k}`, x, 0, 'NORTH')),
              ...bottom.map((x, k) => port(`n${i}b${k}`, x, height, 'SOUTH')),
            ],
          }
        : {}),
      layoutOptions: {
        ...(top.length + bottom.length > 0 ? { 'elk.portConstraints': 'FIXED_POS' } : {}),
        ...(at ? { 'elk.layered.layering.layerConstraint': layerConstraint[at] } : {}),
      },
    })),
    edges: lines.map(({ from, to, fromPort, toPort }, i) => ({
      id: `e${i}`,
      sources: [fromPort === undefined ? `n${from}` : `n${from}b${fromPort}`],
      targets: [toPort === undefined ? `n${to}` : `n${to}t${toPort}`],
    })),
  }
}

export function fromElk(laid: ElkNode, { boxes, lines }: FlatGraph): FlatLayout {
  const places = new Float64Array(2 * boxes.length)
  for (const [i, { x = 0, y = 0 }] of (laid.children ?? []).entries()) places.set([x, y], 2 * i)
  const edges = laid.edges ?? []
  return {
    width: laid.width ?? 0,
    height: laid.height ?? 0,
    places,
    lines: lines.map((_, i) => corners(edges[i])),
  }
}

function corners(edge: ElkExtendedEdge | undefined): Float64Array {
  const points = (edge?.sections ?? []).flatMap(({ startPoint, bendPoints = [], endPoint }) => [
    startPoint,
    ...bendPoints,
    endPoint,
  ])
  return Float64Array.from(points.flatMap(({ x, y }) => [x, y]))
}

/**
 * Layout by the Eclipse Layout Kernel's layered algorithm (Schulze, Spönemann and von Hanxleden 2014). `make` starts
 * one, in a thread of its own that `stop` ends; what is aborted ends with its thread.
 */
export function elkEngine(make: () => ELK, stop: (elk: ELK) => void): { readonly layout: Engine; dispose(): void } {
  let elk: ELK | undefined
  const end = () => {
    if (elk) stop(elk)
    elk = undefined
  }
  const layout: Engine = async (graph, signal) => {
    signal.throwIfAborted()
    elk ??= make()
    const aborted = new Promise<never>((_, reject) =>
      signal.addEventListener(
        'abort',
        () => {
          reject(signal.reason instanceof Error ? signal.reason : new Error('the layout was stopped'))
          end()
        },
        { once: true },
      ),
    )
    return fromElk(await Promise.race([elk.layout(toElk(graph)), aborted]), graph)
  }
  return { layout, dispose: end }
}
