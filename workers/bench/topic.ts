export interface TopicOptions {
  /** Run the Python programs beside ours. */
  readonly peers: boolean
  /** Names of nets or cases; all of them when empty. */
  readonly wanted: readonly string[]
}

/** Something that is timed: prints a table. */
export type Topic = (options: TopicOptions) => Promise<void> | void
