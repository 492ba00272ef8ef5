import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ortCpu } from '../executors/ort/executor.ts'
import { head, machine, row } from './pairs.ts'
import type { Topic } from './topic.ts'

const program = join(import.meta.dirname, '../testing/step-peak.ts')

const cases: readonly (readonly [net: string, batch: number])[] = [
  ['lenet-300-100', 128],
  ['lenet-5', 64],
  ['lenet-5', 512],
  ['lightnn', 128],
  ['deepnn', 32],
  ['resnet-20', 32],
  ['resnet-20', 128],
  ['mobilenet-v1-cifar', 32],
  ['mobilenet-v2-cifar', 16],
  ['mobilenet-v3-small-cifar', 32],
  ['shufflenet-v1-cifar', 16],
  ['shufflenet-v2-cifar', 32],
  ['squeezenet-cifar', 32],
  ['vgg-16-cifar', 16],
  ['resnet-18', 4],
]

/** How a step can be taken; the first is how it is unless memory is short. */
const forms: readonly (readonly string[])[] = [[], ['compact'], ['compact', 'recompute']]

/** The peak of a training step (Adam, labels): predicted from its graph, and measured in a process of its own. */
export const benchmarkMemory: Topic = async ({ wanted }) => {
  console.log(machine(ortCpu.runtime))
  console.log('peak memory of a training step, Adam, beyond the process; MB predicted / measured, and their ratio\n')
  head('net', 'batch', 'as usual', '', 'compact', '', 'compact, recomputed', '', 'ms of a step')
  for (const [net, batch] of cases) {
    if (wanted.length > 0 && !wanted.includes(net)) continue
    const found: Peak[] = []
    for (const form of forms) found.push(await peak(net, String(batch), ...form))
    const times = found.map(({ milliseconds }) => milliseconds.toFixed(0)).join(' / ')
    row(net, String(batch), ...found.flatMap(spelled), times)
  }
}

interface Peak {
  readonly predicted: number
  readonly measured: number
  readonly milliseconds: number
}

async function peak(...args: readonly string[]): Promise<Peak> {
  const flags = ['--disable-warning=ExperimentalWarning']
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, program, ...args])
  return JSON.parse(stdout) as Peak
}

const spelled = ({ predicted, measured }: Peak): string[] => [
  `${(predicted / 1e6).toFixed(0)} / ${(measured / 1e6).toFixed(0)}`,
  (predicted / measured).toFixed(2),
]
