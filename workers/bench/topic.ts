export interface TopicOptions {
  /** Run the Python programs beside ours. */
  readonly peers: boolean
  /** Names of nets or cases; all of them when empty. */
  readonly wanted: readonly string[]
  /** Of topics that are tables of cells: which of them, on what, and where they go. */
  readonly cells: CellChoice
}

/** Which cells of a table are made, on what, and where they go. */
export interface CellChoice {
  /** Methods; all when empty. */
  readonly only: readonly string[]
  /** Seeds; the table's own when empty. */
  readonly seeds: readonly number[]
  readonly device: string
  readonly threads?: number
  /** A file for the cells, as JSON. */
  readonly out?: string
  /** Where runs are kept, so that what is interrupted goes on and bases are shared; they go afterwards unless given. */
  readonly runs?: string
  /** Folders or files of cells that were made before: only the table is printed. */
  readonly merge: readonly string[]
}

/** Something that is timed: prints a table. */
export type Topic = (options: TopicOptions) => Promise<void> | void
