import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Report } from '../../workers/protocol/worker.ts'
import { Worker } from '../host/worker.ts'
import { ProgressPrinter } from './progress.ts'
import { measuredTable } from './show.ts'
import { ExitCode, fail } from './session.ts'

const say = (text: string) => process.stdout.write(`${text}\n`)

/** Trains a teacher, distils it into a small student, both on real MNIST images, and shows what came out. */
export async function sample(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'alambic-sample-'))
  const printer = new ProgressPrinter()
  const worker = new Worker({ progress: (p) => printer.show(p), event: () => undefined })
  const stop = () => worker.stop()
  process.on('SIGINT', stop)
  try {
    say(
      'Alambic makes neural networks smaller. This sample distils LeNet-5 into a net of a fifth of its size on MNIST.',
    )
    say(`Everything it makes is in ${folder}`)
    const teacher = join(folder, 'teacher.onnx')
    const student = join(folder, 'student.onnx')
    say('\n1/2  train the teacher: LeNet-5, 431,080 parameters')
    const first = await worker.call('run', {
      recipe: {
        alambic: 1,
        name: 'teacher',
        steps: [{ step: 'train', epochs: 2, batch: 128, lr: 0.002, validation: 5000 }],
      },
      model: 'lenet-5',
      data: 'mnist',
      output: teacher,
      folder: join(folder, 'teacher'),
    })
    printer.end()
    if (first['stopped']) return void (process.exitCode = ExitCode.stopped)
    say('2/2  distil it into a LeNet-5 of a quarter of its width, from its logits and the labels')
    const second = await worker.call('run', {
      recipe: {
        alambic: 1,
        name: 'student',
        steps: [
          {
            step: 'distil',
            student: 'lenet-5@0.25',
            epochs: 3,
            batch: 128,
            lr: 0.004,
            temperature: 4,
            alpha: 0.7,
            validation: 5000,
          },
        ],
      },
      model: teacher,
      data: 'mnist',
      output: student,
      folder: join(folder, 'student'),
    })
    printer.end()
    say(`\n${measuredTable([measured(first, 'LeNet-5 (teacher)'), measured(second, 'student')])}`)
    say('\naccuracy on 10,000 test images ± its standard error; latency of one image, this machine')
    say('next: npm start -- --help')
    if (second['stopped']) process.exitCode = ExitCode.stopped
  } catch (thrown) {
    printer.end()
    fail(thrown, {})
  } finally {
    process.off('SIGINT', stop)
    await worker.close()
  }
}

const measured = (report: Report, label: string) => ({
  ...(report as unknown as Parameters<typeof measuredTable>[0][number]),
  label,
})
