/** A text that was not written yet when its window went, and the file that it was made from. */
export interface Draft {
  readonly text: string
  /** SHA-256 of the file that was edited. */
  readonly hash: string
  /** What was on its way to the file when the window went: it may have arrived. */
  readonly sent?: string
}

const keyOf = (project: string, file: string): string => `alambic.draft ${project}/${file}`

/** Keeps a draft where it outlives the window; a browser that keeps nothing keeps no drafts. */
export function keepDraft(project: string, file: string, draft: Draft): void {
  try {
    localStorage.setItem(keyOf(project, file), JSON.stringify(draft))
  } catch {
    // Full, or not allowed: the text is written to its file as soon as there is time.
  }
}

/** Gives a draft back, once. */
export function takeDraft(project: string, file: string): Draft | undefined {
  try {
    const key = keyOf(project, file)
    const kept = JSON.parse(localStorage.getItem(key) ?? 'null') as Partial<Draft> | null
    localStorage.removeItem(key)
    if (typeof kept?.text !== 'string' || typeof kept.hash !== 'string') return undefined
    const { text, hash, sent } = kept
    return { text, hash, ...(typeof sent === 'string' ? { sent } : {}) }
  } catch {
    return undefined
  }
}
