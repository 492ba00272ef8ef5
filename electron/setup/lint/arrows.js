/**
 * Which folder may import from which: the layers of the project, in one table. A folder may always import from
 * itself. Tests (`*.test.ts`) may import anything; nothing but tests, `testing` and `bench` may import `testing`.
 *
 * The per-folder tsconfig.json files repeat this table as project references, and a test compares the two.
 */
const model = ['ops', 'graph', 'protocol']
const computing = ['zoo', 'train', 'passes', 'datasets', 'measure', 'executors', 'pack', 'onnx', ...model]

/** @type {Record<string, string[]>} */
const workers = {
  protocol: [],
  graph: ['protocol'],
  ops: ['graph', 'protocol'],
  onnx: model,
  passes: model,
  pack: ['onnx', ...model],
  train: ['passes', ...model],
  zoo: model,
  datasets: ['graph', 'protocol'],
  executors: ['onnx', 'passes', ...model],
  measure: ['executors', 'datasets', 'onnx', 'passes', ...model],
  recipes: computing,
  jobs: ['recipes', ...computing],
  testing: ['jobs', 'recipes', ...computing],
  bench: ['testing', 'jobs', 'recipes', ...computing],
}

/** @type {Record<string, string[]>} folder, as a path from the root → folders that it may import from */
export const arrows = {
  ...Object.fromEntries(
    Object.entries(workers).map(([folder, allowed]) => [`workers/${folder}`, allowed.map((name) => `workers/${name}`)]),
  ),
  // A worker is started by its path; only what crosses the process border is imported.
  electron: ['workers/protocol'],
  renderer: ['workers/protocol'],
}

/** @type {Record<string, string[]>} package → the only folders that may load it; native code stays where a child runs it */
export const packageHomes = {
  'onnxruntime-node': ['workers/executors', 'workers/testing', 'workers/bench'],
  '@tensorflow/tfjs-core': ['workers/testing', 'workers/executors/tf'],
  '@tensorflow/tfjs-backend-cpu': ['workers/testing', 'workers/executors/tf'],
  electron: ['electron'],
}
