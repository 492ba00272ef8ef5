import { computed, toRaw, type ComputedRef, type Ref } from 'vue'
import { linesOf, type Shown } from './labels.ts'
import type { GraphData, Overlay } from './model.ts'
import type { Face, Picture, Theme } from './paint.ts'
import type { Box, Line, Scene } from './scene.ts'
import { groupsAround, type GroupTree } from './tree.ts'

export interface PictureInput {
  readonly graph: () => GraphData
  readonly overlay: () => Overlay | undefined
  readonly shown: () => Shown
  readonly tree: Ref<GroupTree>
  readonly scene: Ref<Scene>
  readonly theme: Ref<Theme>
  readonly titleOf: (group: number) => string
  /** `240 nodes`, in the language of the screen. */
  readonly nodes: (count: number) => string
  /** Nodes that a search has found. */
  readonly matches: ComputedRef<readonly number[]>
  readonly selected: ComputedRef<Box | undefined>
}

/** What is drawn: boxes with what is written in them, and their marks. */
export function usePicture(input: PictureInput) {
  const { tree, scene, theme } = input

  /** What was written in boxes; a group's mark looks at all that is in it, so it is made once. */
  const faces = computed(() => ({
    of: new Map<number, Face>(),
    from: [tree.value, input.overlay(), input.shown(), input.nodes(2)],
  }))
  function face({ child }: Box): Face {
    const known = faces.value.of.get(child) ?? makeFace(child)
    faces.value.of.set(child, known)
    return known
  }

  function makeFace(child: number): Face {
    const overlay = input.overlay()
    if (child < 0) {
      const inside = tree.value.groups[~child]?.nodes ?? []
      const lines = [input.nodes(inside.length)]
      return { title: input.titleOf(~child), lines, kind: 'group', mark: overlay?.mark(inside) }
    }
    const node = input.graph().nodes[child]
    if (!node) return { title: '', lines: [], kind: 'node' }
    const lines = linesOf(node, input.shown())
    return { title: node.label, lines, kind: node.kind ?? 'node', mark: overlay?.mark([child]) }
  }

  function label({ edges }: Line): string {
    const all = toRaw(input.graph()).edges
    const texts = new Set(edges.map((edge) => all[edge]?.label ?? ''))
    return texts.size === 1 ? ([...texts][0] ?? '') : ''
  }

  /** Boxes of what was found, or closed ones that it is in. */
  const found = computed(() => {
    const { boxOf } = scene.value
    const boxes = new Set<number>()
    for (const node of input.matches.value) {
      if (boxOf.has(node)) boxes.add(node)
      else for (const id of groupsAround(tree.value, node)) if (boxOf.get(~id)?.open === false) boxes.add(~id)
    }
    return boxes
  })

  /** Without what changes at every key, so that the small picture is drawn seldom. */
  const still = computed((): Picture => {
    void faces.value
    return { scene: scene.value, face, selected: undefined, found: new Set(), theme: theme.value, label }
  })
  const picture = computed((): Picture => ({ ...still.value, selected: input.selected.value, found: found.value }))

  return { face, still, picture }
}
