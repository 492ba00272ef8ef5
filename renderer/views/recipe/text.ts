import {
  Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  parseDocument,
  visit,
  YAMLSeq,
} from 'yaml'
import type { Node } from 'yaml'

/*
 * A recipe is its text, comments and all. Forms change it through these functions, each of which gives a new text; what
 * a person did not touch stays as it was typed.
 */

export type Path = readonly (string | number)[]

export interface Fault {
  readonly message: string
  /** From 1. */
  readonly line: number
  readonly column: number
}

export interface Step {
  readonly step: string
  readonly options: Readonly<Record<string, unknown>>
}

/** A text as the screen shows it: what it says, or why it can't be read. */
export interface Read {
  readonly plain?: Readonly<Record<string, unknown>>
  readonly steps: readonly Step[]
  readonly fault?: Fault
}

const WRITING = { lineWidth: 0, indentSeq: true } as const

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function read(text: string): Read {
  const document = parseDocument(text)
  const [error] = document.errors
  if (error) {
    const [at] = error.linePos ?? []
    // The library's message ends with the line and a sign below it, which the screen shows in its own way.
    const message = error.message.split(/ at line \d+/)[0] ?? error.message
    return { steps: [], fault: { message, line: at?.line ?? 1, column: at?.col ?? 1 } }
  }
  try {
    const plain = document.toJS() as unknown
    if (!isRecord(plain)) return { steps: [], fault: { message: 'a recipe is a table of fields', line: 1, column: 1 } }
    const list = Array.isArray(plain['steps']) ? (plain['steps'] as unknown[]) : []
    return { plain, steps: list.map(stepOf) }
  } catch (thrown) {
    return {
      steps: [],
      fault: { message: thrown instanceof Error ? thrown.message : String(thrown), line: 1, column: 1 },
    }
  }
}

function stepOf(value: unknown): Step {
  const { step, ...options } = isRecord(value) ? value : {}
  return { step: typeof step === 'string' ? step : '', options }
}

/** Changes a text; one that can't be read stays as it is. */
function change(text: string, edit: (document: Document) => void): string {
  const document = parseDocument(text)
  if (document.errors.length > 0) return text
  spellOut(document)
  edit(document)
  return document.toString(WRITING)
}

/** What stands for something else is written out: a change at one place must not be one at another. */
function spellOut(document: Document): void {
  let found = false
  visit(document, {
    Alias(_, alias) {
      const meant = alias.resolve(document)?.clone() as Node | undefined
      found = true
      return meant ?? undefined
    },
  })
  if (!found) return
  visit(document, {
    Node(_, node) {
      if (!isAlias(node) && 'anchor' in node) delete node.anchor
    },
  })
}

function stepsOf(document: Document): YAMLSeq {
  const found = document.get('steps')
  if (isSeq(found)) return found
  const made = new YAMLSeq()
  document.set('steps', made)
  return made
}

/** Sets a field, or with `undefined` takes it away so that its default holds. Short values go on one line. */
export const setField = (text: string, path: Path, value: unknown): string =>
  change(text, (document) => {
    if (value === undefined) document.deleteIn(path)
    else {
      const old = document.getIn(path, true)
      // A scalar keeps its node, and with it the remark behind it.
      if (isScalar(old) && (typeof value !== 'object' || value === null)) old.value = value
      else document.setIn(path, flowing(document, value))
    }
    const parent = path.slice(0, -1)
    const left = parent.length > 0 ? document.getIn(parent, true) : undefined
    // A table that nothing is left in goes as well, but a step stays a step.
    if (isMap(left) && left.items.length === 0 && parent.length === 1) document.deleteIn(parent)
  })

function flowing(document: Document, value: unknown): unknown {
  const node = document.createNode(value)
  if (isCollection(node) && JSON.stringify(value).length < 60) node.flow = true
  return node
}

export const addStep = (text: string, id: string, at: number): string =>
  change(text, (document) => {
    stepsOf(document).items.splice(at, 0, document.createNode({ step: id }))
  })

export const removeStep = (text: string, at: number): string =>
  change(text, (document) => {
    stepsOf(document).items.splice(at, 1)
  })

export const duplicateStep = (text: string, at: number): string =>
  change(text, (document) => {
    const { items } = stepsOf(document)
    const step = items[at]
    if (isNode(step)) items.splice(at + 1, 0, step.clone())
  })

export const moveStep = (text: string, from: number, to: number): string =>
  change(text, (document) => {
    const { items } = stepsOf(document)
    const [step] = items.splice(from, 1)
    if (step !== undefined) items.splice(to, 0, step)
  })

/** The line, from 1, in which a field is written; of a field that is not there, that of what would hold it. */
export function lineOf(text: string, path: Path): number {
  const document = parseDocument(text)
  for (let length = path.length; length > 0; length--) {
    const offset = offsetOf(document, path.slice(0, length))
    if (offset !== undefined) return text.slice(0, offset).split('\n').length
  }
  return 1
}

function offsetOf(document: Document, path: Path): number | undefined {
  const key = path.at(-1)
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)
  if (isMap(parent)) {
    const pair = parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key)
    return pair && isScalar(pair.key) ? pair.key.range?.[0] : undefined
  }
  const item = isSeq(parent) && typeof key === 'number' ? parent.items[key] : undefined
  return isNode(item) ? item.range?.[0] : undefined
}

/** The text of a new recipe that is made from another: under its own name, and knowing where it comes from. */
export const derive = (
  text: string,
  { name, title, parent }: { name: string; title: string; parent: string },
): string =>
  change(text, (document) => {
    document.set('name', name)
    document.set('title', title)
    const { contents } = document
    document.delete('parent')
    const at = isMap(contents) ? contents.items.findIndex(({ key }) => isScalar(key) && key.value === 'title') : -1
    if (isMap(contents)) contents.items.splice(at + 1, 0, document.createPair('parent', parent))
  })

/** A name as recipes may have it: letters, digits, dots and dashes. */
export const nameFrom = (title: string): string =>
  title
    .normalize('NFKD')
    .replaceAll(/\p{M}+/gu, '')
    .toLowerCase()
    .replaceAll(/[^\w.-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '') || 'recipe'

/** A recipe to begin with. */
export const blank = (title: string): string =>
  new Document({ alambic: 1, name: nameFrom(title), title, steps: [{ step: 'prune' }] }).toString(WRITING)
