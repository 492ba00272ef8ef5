/**
 * Values in groups, in their order, so that what a group needs fits a memory: no pass over the data holds more.
 * A value that alone needs more is a group of its own. `bytesOf` and `memory` are in bytes.
 */
export function memoryGroups(
  values: readonly string[],
  bytesOf: (value: string) => number,
  memory: number,
): readonly (readonly string[])[] {
  const groups: string[][] = []
  let room = 0
  for (const value of values) {
    const bytes = bytesOf(value)
    if (bytes > room || groups.length === 0) {
      groups.push([])
      room = memory
    }
    groups.at(-1)?.push(value)
    room -= bytes
  }
  return groups
}
