import { ortCpu } from '../executors/ort/executor.ts'
import { crossEntropy } from '../train/losses.ts'
import { benchmarkNets, type BenchmarkId } from '../zoo/index.ts'
import { head, inTurn, machine, ratio, row, spell } from './pairs.ts'
import { Peer } from './peer.ts'
import { stepper } from './stepper.ts'
import type { Topic } from './topic.ts'

const RUNS = 15

/** A training step (batch 128, Adam) of five nets, beside PyTorch eager and in channels-last layout. */
export const train: Topic = async ({ peers, wanted }) => {
  const peer = peers ? await Peer.open('train_step.py') : undefined
  console.log(machine(ortCpu.runtime, peer?.name))
  console.log(
    'training step, batch 128, Adam; ms as median / min; ratio of medians / of minima, above 1 we are faster\n',
  )
  head('net', 'Alambic', 'PyTorch eager', 'ratio', 'PyTorch channels_last', 'ratio')
  for (const [id, { build }] of Object.entries(benchmarkNets) as [BenchmarkId, (typeof benchmarkNets)[BenchmarkId]][]) {
    const name = id.replace('bench-', '')
    if (wanted.length > 0 && !wanted.includes(name)) continue
    const { once, close } = await stepper(build(), [crossEntropy()])
    // The two forms of the peer share its weights' cache; each gets its own turns.
    const eager = await inTurn(once, peer && (() => peer.once(name)), RUNS)
    const last = await inTurn(once, peer && (() => peer.once(`${name} channels_last`)), RUNS)
    await close()
    row(name, spell(eager.ours), spell(eager.theirs), ratio(eager), spell(last.theirs), ratio(last))
  }
  peer?.close()
}
