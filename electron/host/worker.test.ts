import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { AlambicError } from '../../workers/protocol/errors.ts'
import { Worker } from './worker.ts'

const models = fileURLToPath(new URL('../../workers/testing/models/', import.meta.url))

function start(): Worker {
  const worker = new Worker({ progress: () => undefined, event: () => undefined })
  onTestFinished(() => worker.close())
  return worker
}

const failure = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )

test('a model that crashes the native runtime ends the worker with a reason; the host goes on', async () => {
  const path = `${models}speech-vad-fp16.onnx`
  expect(existsSync(path)).toBe(true)
  const doomed = start()
  const error = await failure(doomed.call('measure', { model: path, batch: 1, runs: 10, threads: 1 }))
  if (process.platform === 'linux' && process.arch === 'x64') {
    // A float16 GRU is a segmentation fault in onnxruntime 1.30.
    expect(error).toBeInstanceOf(AlambicError)
    expect(error).toMatchObject({ code: 'worker.died', found: 'a crash (SIGSEGV)' })
    expect(await doomed.ended).toEqual({ kind: 'crashed', signal: 'SIGSEGV' })
  }
  const next = start()
  const report = await next.call('inspect', { model: `${models}speech-vad.onnx` })
  expect(report).toMatchObject({ nodes: 33 })
})

test('so does any signal under a call', async () => {
  const worker = start()
  const call = failure(worker.call('measure', { model: 'resnet-18', batch: 1, runs: 1000, threads: 1 }))
  setTimeout(() => process.kill(worker.pid ?? 0, 'SIGSEGV'), 1000)
  expect(await call).toMatchObject({ code: 'worker.died', found: 'a crash (SIGSEGV)' })
})
