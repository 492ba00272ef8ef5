import { parentPort, workerData } from 'node:worker_threads'
import { asAlambicError } from '../../protocol/errors.ts'
import type { WireError } from '../../protocol/worker.ts'
import { decodeModel } from '../../onnx/index.ts'
import type { Program } from '../executor.ts'
import { READY, type AsideAnswer, type AsideData, type AsideRequest } from './aside.ts'
import { compileOrt } from './executor.ts'

/* The thread of a program that runs beside others: compiles what it is given, then answers feeds with results. */

const answer = (message: AsideAnswer): void => parentPort?.postMessage(message)

const failed = (id: number, thrown: unknown): void =>
  answer({ id, error: asAlambicError(thrown).toJSON() as unknown as WireError })

async function serve(program: Program): Promise<void> {
  let last: Promise<void> = Promise.resolve()
  parentPort?.on('message', ({ id, feeds }: AsideRequest) => {
    last = last.then(async () => {
      const started = performance.now()
      try {
        const results = await program.run(feeds)
        answer({ id, results, milliseconds: performance.now() - started })
      } catch (thrown) {
        failed(id, thrown)
      }
    })
  })
  answer({ id: READY, results: {}, milliseconds: 0 })
  await last
}

const { model, options } = workerData as AsideData
try {
  await serve(await compileOrt(decodeModel(model).graph, options))
} catch (thrown) {
  failed(READY, thrown)
}
