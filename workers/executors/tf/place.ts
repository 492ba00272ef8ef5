import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { alambicHome } from '../../protocol/files/home.ts'

/** Where `alambic engines add tf` puts TensorFlow. */
export const tfFolder = (): string => join(alambicHome(), 'engines', 'tf')

/** The package with TensorFlow.js' native part, from the folder of the engine. */
export const TFJS_NODE = join('node_modules', '@tensorflow', 'tfjs-node')
/** The native addon itself. */
export const ADDON = join(TFJS_NODE, 'lib', 'napi-v8', 'tfjs_binding.node')

export const isTfInstalled = (): boolean => existsSync(join(tfFolder(), ADDON))
