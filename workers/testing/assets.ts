import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where everything lies that the test command installs beside the packages. */
export const assetsFolder = join(root, 'node_modules', '.cache', 'alambic')

/** Things that some tests need and that not every machine can install. */
export type Asset = 'python' | 'onnx-node-tests' | 'packaged-models' | 'chromium'

/** What the set-up writes for each asset: where it is, or why it is not. */
export type AssetState = { readonly path: string } | { readonly missing: string }

export const assetFile = (asset: Asset): string => join(assetsFolder, `${asset}.json`)

const stateOf = (asset: Asset): AssetState => {
  const file = assetFile(asset)
  if (!existsSync(file)) return { missing: 'the test set-up has not run; `npm test` runs it' }
  const state = JSON.parse(readFileSync(file, 'utf8')) as AssetState
  return 'path' in state && !existsSync(state.path)
    ? { missing: `${state.path} is gone; run \`npm test\` again` }
    : state
}

const pathOf = (asset: Asset): string | undefined => {
  const state = stateOf(asset)
  return 'path' in state ? state.path : undefined
}

/** A Python that has the onnx and onnxruntime packages, to prove that exported files load there; undefined if absent. */
export const pythonPath = (): string | undefined => pathOf('python')

/**
 * The folder of ONNX's own operator tests, undefined if absent. One folder per case holds `model.onnx`, `case.json`
 * (`rtol`, `atol`) and `test_data_set_N/{input,output}_I.pb`, each a serialized TensorProto. Values of another type
 * are named for it: `input_0.sequence.pb` (SequenceProto), `input_0.optional.pb` (OptionalProto).
 */
export const onnxNodeTests = (): string | undefined => pathOf('onnx-node-tests')

/**
 * The models that come inside Python's onnx package, undefined if absent: `light/*.onnx` (nine vision nets as Caffe2
 * exported them, their weights made by ConstantOfShape), `pytorch-converted` and `pytorch-operator` (one folder per
 * case, laid out as the operator tests are).
 */
export const onnxPackageModels = (): string | undefined => {
  const python = pythonPath()
  if (python === undefined) return undefined
  const packages = '{lib/python*/site-packages,Lib/site-packages}'
  const [found] = globSync(`${packages}/onnx/backend/test/data`, { cwd: join(dirname(python), '..') })
  return found === undefined ? undefined : join(dirname(python), '..', found)
}

/** The trained models of other people's packages (`setup/packaged-models.txt`), unpacked; undefined if absent. */
export const packagedModels = (): string | undefined => pathOf('packaged-models')

/** The browser that the end-to-end tests drive; undefined if absent. */
export const chromiumPath = (): string | undefined => pathOf('chromium')

/** Why an asset is absent, for `ctx.skip(reason)`; an empty string when it is there. */
export const missing = (asset: Asset): string => {
  const state = stateOf(asset)
  return 'missing' in state ? `${asset}: ${state.missing}` : ''
}

/** Where conformance tests leave their tables for people: `node_modules/.cache/alambic/reports/<name>.md`. */
export function writeReport(name: string, lines: readonly string[]): void {
  const folder = join(assetsFolder, 'reports')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${name}.md`), `${lines.join('\n')}\n`)
}
