/**
 * What the studio promises on a quiet machine; a machine that does other work beside is only held against freezing.
 * `npm run bench -- studio` measures with `ALAMBIC_QUIET=1`.
 */
const isQuiet = process.env['ALAMBIC_QUIET'] === '1'

/** Milliseconds from the address to the first paint, of a host that runs. */
export const FIRST_PAINT = isQuiet ? 1500 : 6000
/** Milliseconds within which 95 % of interactions are answered. */
export const INTERACTION = isQuiet ? 100 : 600
/** Milliseconds until 10,000 nodes are drawn. */
export const OPENED = isQuiet ? 3000 : 12_000
/** Bytes of script, gzipped, before the first screen is there. */
export const FIRST_SCRIPT = 400_000
