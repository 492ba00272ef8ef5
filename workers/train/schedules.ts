/** The learning rate at every step as a factor of the base rate. Steps count from 0 to total − 1. */
export type Schedule = (step: number, total: number) => number

export type ScheduleSpec =
  | { readonly kind: 'constant'; readonly warmup?: number }
  /** The factor falls by `gamma` at every milestone, given as shares of the run. */
  | { readonly kind: 'step'; readonly milestones: readonly number[]; readonly gamma?: number; readonly warmup?: number }
  /** Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, without restarts, down to `floor`. */
  | { readonly kind: 'cosine'; readonly floor?: number; readonly warmup?: number }
  /** Smith & Topin 2018, arXiv:1708.07120: up to 1 over `peak` of the run, then down to almost nothing, cosine-shaped. */
  | { readonly kind: 'one-cycle'; readonly peak?: number; readonly start?: number; readonly end?: number }

const cosine = (from: number, to: number, share: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2

function oneCycle(spec: Extract<ScheduleSpec, { kind: 'one-cycle' }>): Schedule {
  const { peak = 0.3, start = 1 / 25, end = 1e-4 / 25 } = spec
  return (step, total) => {
    const up = Math.max(1, peak * (total - 1))
    return step <= up ? cosine(start, 1, step / up) : cosine(1, end, (step - up) / Math.max(1, total - 1 - up))
  }
}

function body(spec: Exclude<ScheduleSpec, { kind: 'one-cycle' }>): Schedule {
  if (spec.kind === 'cosine') return (step, total) => cosine(1, spec.floor ?? 0, step / Math.max(1, total))
  if (spec.kind === 'step') {
    const gamma = spec.gamma ?? 0.1
    return (step, total) => gamma ** spec.milestones.filter((m) => step >= m * total).length
  }
  return () => 1
}

/** A schedule from its description; `warmup` is a number of steps over which the rate rises linearly. */
export function schedule(spec: ScheduleSpec): Schedule {
  if (spec.kind === 'one-cycle') return oneCycle(spec)
  const main = body(spec)
  const warmup = spec.warmup ?? 0
  return (step, total) => (step < warmup ? (step + 1) / warmup : main(step - warmup, total - warmup))
}
