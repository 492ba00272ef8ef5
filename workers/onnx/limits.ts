/**
 * What a model file may ask for before it is refused. The defaults are far above any real model and keep what a file
 * can make us allocate in proportion to its size.
 */
export interface Limits {
  /** Bytes of the `.onnx` file itself; protobuf, and so every other ONNX tool, stops at 2 GiB. */
  readonly fileBytes: number
  /** Bytes of all external weights together. */
  readonly externalBytes: number
  /** Messages inside messages: subgraphs and types may nest, and a parser must not run out of stack. */
  readonly depth: number
  /** Nodes of all graphs and functions together. */
  readonly nodes: number
  /** Nodes that would be there if every call of a local function were replaced by its body. */
  readonly inlinedNodes: number
  /** Bytes of one name (of a node, a value, an operator, a symbolic dimension). */
  readonly nameBytes: number
  /** Bytes of one string attribute, documentation or metadata entry. */
  readonly textBytes: number
  /** Dimensions of one tensor or type. */
  readonly dims: number
  /** Elements that the dimensions of one tensor may declare. */
  readonly elements: number
  /** Numbers in lists, texts (4 each) and messages (8 each) that are decoded, all together. */
  readonly items: number
  /** Bytes that the model's sparse initializers take once they are dense. */
  readonly sparseBytes: number
}

const MiB = 2 ** 20

export const defaultLimits: Limits = {
  fileBytes: 2 ** 31 - 1,
  externalBytes: 64 * 2 ** 30,
  depth: 100,
  nodes: 500_000,
  inlinedNodes: 10_000_000,
  nameBytes: 16_384,
  textBytes: 512 * MiB,
  dims: 64,
  elements: 2 ** 40,
  items: 40_000_000,
  sparseBytes: 256 * MiB,
}
