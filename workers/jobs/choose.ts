import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { graphHash } from '../graph/hash.ts'
import type { DeviceId } from '../protocol/devices.ts'
import { replaceJson } from '../protocol/files/durable.ts'
import { alambicHome } from '../protocol/files/home.ts'
import type { Choice } from '../protocol/files/record.ts'
import { labelledStep, type StepShape } from '../recipes/labelled-step.ts'
import { openForRecipe } from '../recipes/open.ts'
import { openRecipe } from '../recipes/recipe.ts'
import { passes } from './estimate.ts'
import { fastest, machine, probe, rightOnes } from './remembered.ts'

/** How long all engines together take the step, in milliseconds; what has begun is finished. */
const BUDGET = 10_000

/** The parts of a run's request that its training step depends on. */
export interface Training {
  readonly recipe: string | Readonly<Record<string, unknown>>
  readonly set: Readonly<Record<string, unknown>>
  readonly model: string
  readonly seed: number
}

/** Milliseconds of a step by device, by the step's hash. */
type Steps = Readonly<Record<string, Readonly<Partial<Record<DeviceId, number>>>>>

const file = (): string => join(alambicHome(), 'steps.json')

/** The steps that were measured on this machine; none where it has changed since. */
export async function measuredSteps(): Promise<Steps> {
  try {
    const found = JSON.parse(await readFile(file(), 'utf8')) as { machine: string; steps: Steps }
    return found.machine === machine() ? found.steps : {}
  } catch {
    return {}
  }
}

/** Steps that are remembered; the oldest go. */
const MOST = 200

/**
 * The device on which the run's own training step is fastest, of those whose self-test is right. What was measured is
 * remembered by the step's graph and the machine. A run that does not train goes where training is fastest.
 */
export async function chooseDevice(request: Training): Promise<Choice> {
  const devices = (await rightOnes()).map(({ device }) => device)
  const [only] = devices
  return devices.length > 1 ? chooseAmong(devices, request) : { asked: 'auto', device: only ?? 'cpu', measured: [] }
}

/** The same among given devices. */
export async function chooseAmong(devices: readonly DeviceId[], request: Training): Promise<Choice> {
  const shape = await shapeOf(request)
  const hash = shape && (await hashOf(request, shape))
  if (!shape || hash === undefined) return { asked: 'auto', device: await fastest(), measured: [] }
  const known: Partial<Record<DeviceId, number>> = { ...(await measuredSteps())[hash] }
  for (const device of devices) {
    if (known[device] !== undefined) continue
    const stepMs = await stepTime(device, { ...request, shape, budget: BUDGET / devices.length })
    if (stepMs !== undefined) known[device] = stepMs
  }
  await rememberStep(hash, known)
  const measured = devices.flatMap((device) => {
    const stepMs = known[device]
    return stepMs === undefined ? [] : [{ device, stepMs }]
  })
  const best = measured.toSorted((a, b) => a.stepMs - b.stepMs)[0]
  return { asked: 'auto', device: best?.device ?? 'cpu', step: hash, measured }
}

/** Milliseconds of a step; undefined where the device does not get through it. */
async function stepTime(
  device: DeviceId,
  { model, seed, shape, budget }: Training & { shape: StepShape; budget: number },
) {
  const outcome = await probe(device, 'step', { model, seed, shape, budget })
  return outcome.ok ? Number(outcome.report['stepMs']) : undefined
}

async function rememberStep(hash: string, times: Partial<Record<DeviceId, number>>): Promise<void> {
  const { [hash]: _old, ...others } = await measuredSteps()
  const steps = Object.fromEntries([...Object.entries(others).slice(1 - MOST), [hash, times]])
  await mkdir(alambicHome(), { recursive: true })
  await replaceJson(file(), { machine: machine(), steps })
}

/** The options of the first step that trains. */
async function shapeOf({ recipe, set }: Training): Promise<StepShape | undefined> {
  const { steps } = await openRecipe(recipe, set)
  return steps.find(({ description, options }) => (passes[description.id]?.(options as object) ?? 0) > 0)?.options as
    StepShape | undefined
}

async function hashOf({ model, seed }: Training, shape: StepShape): Promise<string | undefined> {
  try {
    return graphHash(labelledStep((await openForRecipe(model, seed)).graph, shape).graph)
  } catch {
    // A step that only other steps make possible: the run itself says what is wrong, if anything is.
    return undefined
  }
}
