/** How far a long piece of work is. */
export interface Progress {
  /** What is being done: `download`, `decode`, `verify`. */
  readonly phase: string
  readonly done: number
  /** Absent while it is not known. */
  readonly total?: number | undefined
  readonly unit: 'bytes' | 'files' | 'samples'
}

/** What work that takes a while is told: whom to report to, and when to stop (with the signal's own reason). */
export interface Watch {
  readonly onProgress?: ((progress: Progress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}
