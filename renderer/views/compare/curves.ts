import type { StudioApi, StudioCall, StudioResults } from '../../../workers/protocol/studio.ts'
import { Column } from '../../charts/column.ts'

export type Quantity = 'accuracy' | 'loss'

export interface Curve {
  readonly x: Column
  readonly raw: Column
}

interface Asks {
  call<Name extends StudioCall>(name: Name, request: Parameters<StudioApi[Name]>[0]): Promise<StudioResults[Name]>
}

/** The stream of a stage that tells a quantity best: what was measured on held-out samples before what was seen in training. */
const preferred: Readonly<Record<Quantity, readonly string[]>> = {
  accuracy: ['evaluation', 'train'],
  loss: ['train', 'evaluation'],
}

/** One quantity over all stages of a run: the steps of each begin where those of the one before it ended. */
export async function readCurve(host: Asks, run: string, quantity: Quantity): Promise<Curve> {
  const { streams } = await host.call('runDetail', { run })
  const curve = { x: new Column(), raw: new Column() }
  const stages = [...new Set(streams.map(({ stage }) => stage))].toSorted((a, b) => a - b)
  let offset = 0
  for (const stage of stages) {
    const own = streams.filter(
      (stream) => stream.stage === stage && stream.columns.includes(quantity) && stream.rows > 0,
    )
    const stream =
      preferred[quantity].flatMap((name) => own.find((one) => one.stream.endsWith(`-${name}`)) ?? [])[0] ?? own[0]
    if (!stream) continue
    const { columns, rows, values } = await host.call('metrics', { run, stream: stream.stream })
    const [step, at] = [columns.indexOf('step'), columns.indexOf(quantity)]
    const column = (index: number, plus = 0) =>
      Float64Array.from({ length: rows }, (_, r) => (values[r * columns.length + index] ?? NaN) + plus)
    curve.x.append(column(step, offset))
    curve.raw.append(column(at))
    offset = curve.x.at(curve.x.length - 1)
  }
  return curve
}
