import { ortCpu } from '../executors/ort/executor.ts'
import { prepare } from '../train/prepare.ts'
import { softenedKL } from '../train/distil/response.ts'
import { crossEntropy, type LossTerm } from '../train/losses.ts'
import { benchmarkNets } from '../zoo/index.ts'
import { head, inTurn, least, machine, median, row, spell } from './pairs.ts'
import { Peer } from './peer.ts'
import { BATCH, forward, stepper } from './stepper.ts'
import type { Topic } from './topic.ts'

const RUNS = 11

/** The tutorial's soft term, T = 2 and a weight of a quarter, on logits that come with the batch. */
const kept: LossTerm = {
  name: 'kd',
  weight: 0.25,
  build: ({ g, outputs, feed }) => softenedKL(g, outputs[0] ?? '', feed('teacher', 'f32', [BATCH, 10]), 2),
}

/**
 * Distillation of the tutorial's pair. PyTorch's loop runs the teacher in every step; here its logits are computed
 * once, with constant weights, and kept, so that E epochs cost one pass of the teacher and E of the student.
 */
export const distil: Topic = async ({ peers }) => {
  const peer = peers ? await Peer.open('train_step.py') : undefined
  console.log(machine(ortCpu.runtime, peer?.name))
  console.log(`distillation, deep → light, batch ${BATCH}, T² KL + CE, Adam; ms as median / min\n`)
  const teacher = await forward(prepare(benchmarkNets['bench-deep'].build(), { batch: BATCH }))
  const student = await stepper(benchmarkNets['bench-light'].build(), [kept, crossEntropy({}, 0.75)])
  const steps = await inTurn(student.once, peer && (() => peer.once('kd')), RUNS)
  const frozen = await inTurn(teacher.once, undefined, RUNS)
  await Promise.all([teacher.close(), student.close()])
  peer?.close()
  head('', 'ms')
  row("teacher's logits, once a batch", spell(frozen.ours))
  row('student step on kept logits', spell(steps.ours))
  row('PyTorch step, eager', spell(steps.theirs))
  if (!peer) return
  console.log()
  head('epochs', 'times faster, of medians', 'of minima')
  for (const epochs of [1, 3, 10]) {
    const faster = (of: (values: readonly number[]) => number) =>
      ((epochs * of(steps.theirs)) / (of(frozen.ours) + epochs * of(steps.ours))).toFixed(2)
    row(String(epochs), faster(median), faster(least))
  }
}
