import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { modelOf } from '../../graph/graph.ts'
import { writeModel } from '../../onnx/index.ts'
import { noiseBatches, nets, preparedNet } from './cases.ts'

/*
 * Records what onnxruntime's Python quantizer says of the nets in `cases.ts`:
 *
 *     node workers/testing/quantizer/record.ts PYTHON
 *
 * PYTHON has the packages onnx and onnxruntime. Writes `onnxruntime.json` beside this file.
 */
const here = fileURLToPath(new URL('.', import.meta.url))
const python = process.argv[2] ?? 'python3'
const folder = mkdtempSync(join(tmpdir(), 'alambic-quantizer-'))
try {
  for (const id of nets) {
    const graph = preparedNet(id)
    mkdirSync(join(folder, id))
    await writeModel(modelOf(graph), join(folder, id, 'model.onnx'))
    const batches = noiseBatches(graph)
    writeFileSync(join(folder, id, 'dims.json'), JSON.stringify(batches[0]?.dims))
    batches.forEach((batch, i) => writeFileSync(join(folder, id, `${i}.f32`), batch.bytes))
  }
  const script = join(here, 'record.py')
  const { status } = spawnSync(python, [script, folder, join(here, 'onnxruntime.json')], { stdio: 'inherit' })
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
