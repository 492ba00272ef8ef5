import type { Column } from './column.ts'
import type { View } from './decimate.ts'

/** One line of a chart. */
export interface ChartLine {
  readonly id: string
  readonly name: string
  /** Index of its colour. */
  readonly colour: number
  readonly x: Column
  readonly raw: Column
  /** Drawn in front of the raw values, which are faint then. */
  readonly smooth?: Column
}

/** A dashed line at a value. */
export interface Reference {
  readonly name: string
  readonly value: number
  readonly colour: number
}

/** Something that happened at a place of the x axis. */
export interface Marker {
  readonly x: number
  readonly label: string
}

/** Everything that a chart draws beside its data. */
export interface ChartFrame {
  readonly view: View
  readonly logX: boolean
  readonly logY: boolean
}
