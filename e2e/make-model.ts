import { openModel } from '../workers/recipes/open.ts'
import { writeModel } from '../workers/onnx/index.ts'

/** `make-model.ts <zoo id> <file>`: writes a network of the zoo, with its first weights, as an ONNX file. */
const [id = '', file = ''] = process.argv.slice(2)
await writeModel(await openModel(id, 7), file)
