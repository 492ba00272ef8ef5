/** `T` whose optional properties are there or not, never there and undefined. */
type Defined<T> = { [Key in keyof T]: Exclude<T[Key], undefined> }

/** An object without its undefined properties: what a schema gives, as a type with exact optional properties wants it. */
export const defined = <T extends object>(value: T): Defined<T> =>
  Object.fromEntries(Object.entries(value).filter(([, property]) => property !== undefined)) as Defined<T>
