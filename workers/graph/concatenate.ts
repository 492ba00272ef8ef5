/** What every typed array can: be made with a length, and be filled at an offset. */
interface Fillable<T> extends ArrayLike<T> {
  set(values: ArrayLike<T>, offset: number): void
}

/** Typed arrays of one kind, one after the other in a new one. */
export function concatenate<T, A extends Fillable<T>>(Type: new (length: number) => A, parts: readonly A[]): A {
  const all = new Type(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
