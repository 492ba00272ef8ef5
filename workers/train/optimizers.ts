import type { Emitter, Operand } from '../ops/emit.ts'

/** One update: everything is a flat f32 `[P]` vector of all trained parameters, or a scalar. */
export interface UpdateContext {
  readonly g: Emitter
  readonly params: string
  readonly grads: string
  /** The optimizer's own vectors by slot name. */
  readonly state: Readonly<Record<string, string>>
  /** Scalars by name, as `hyper` computes them for each step. */
  readonly hyper: Readonly<Record<string, string>>
  /** Weight decay: a number, or a `[P]` vector where parameters differ; 0 when there is none. */
  readonly decay: Operand
  /** Factor of the learning rate: a number, or a `[P]` vector where parameters differ; absent when all are 1. */
  readonly rate?: Operand | undefined
}

/**
 * A pure optimizer: which vectors it keeps (they start at zero), which scalars each step needs, and how one step is
 * written. Steps count from 1. Learning rates are inputs of the step graph, never constants in it.
 */
export interface Optimizer {
  readonly id: OptimizerId
  readonly slots: readonly string[]
  hyper(step: number, lr: number): Readonly<Record<string, number>>
  update(c: UpdateContext): { readonly params: string; readonly state: Readonly<Record<string, string>> }
}

export type OptimizerId = 'sgd' | 'adam' | 'adamw' | 'rmsprop'

export interface OptimizerOptions {
  /** SGD and RMSprop. */
  readonly momentum?: number
  readonly nesterov?: boolean
  /** Adam's β₁ and β₂. */
  readonly betas?: readonly [number, number]
  readonly epsilon?: number
  /** RMSprop's smoothing constant. */
  readonly alpha?: number
}

/** g + λ·p: decay as an L2 penalty. */
const withPenalty = ({ g, params, grads, decay }: UpdateContext): string =>
  decay === 0 ? grads : g.add(grads, g.mul(params, decay))

/** p − lr·direction, with the parameters' own factors. */
function descend({ g, params, rate }: UpdateContext, lr: string, direction: string): string {
  const step = g.mul(direction, lr)
  return g.sub(params, rate === undefined ? step : g.mul(step, rate))
}

/** Stochastic gradient descent with momentum (Sutskever et al. 2013), in PyTorch's form: v ← μ·v + g, p ← p − lr·v. */
function sgd({ momentum = 0, nesterov = false }: OptimizerOptions): Optimizer {
  return {
    id: 'sgd',
    slots: momentum === 0 ? [] : ['velocity'],
    hyper: (_step, lr) => ({ lr }),
    update: (c) => {
      const grad = withPenalty(c)
      const lr = c.hyper['lr'] as string
      if (momentum === 0) return { params: descend(c, lr, grad), state: {} }
      const velocity = c.g.add(c.g.mul(c.state['velocity'] as string, momentum), grad)
      const direction = nesterov ? c.g.add(grad, c.g.mul(velocity, momentum)) : velocity
      return { params: descend(c, lr, direction), state: { velocity } }
    },
  }
}

/**
 * Kingma & Ba 2015, arXiv:1412.6980, algorithm 1; with `decoupled`, Loshchilov & Hutter 2019, arXiv:1711.05101,
 * algorithm 2. The state is m/(1 − β₁) and v/(1 − β₂), which takes fewer passes over memory; those factors, the bias
 * corrections and ε move into the step's scalars, computed outside in float64 (1 − β₂ᵗ loses half its digits in
 * float32): with c = √((1 − β₂)/(1 − β₂ᵗ)), the step is lr·(1 − β₁)/((1 − β₁ᵗ)·c) and ε becomes ε/c.
 */
function adam(options: OptimizerOptions, decoupled: boolean): Optimizer {
  const { betas: [beta1, beta2] = [0.9, 0.999], epsilon = 1e-8 } = options
  return {
    id: decoupled ? 'adamw' : 'adam',
    slots: ['m', 'v'],
    hyper: (step, lr) => {
      const c = Math.sqrt((1 - beta2) / (1 - beta2 ** step))
      return { lr, step_size: (lr * (1 - beta1)) / (1 - beta1 ** step) / c, epsilon: epsilon / c }
    },
    update: (c) => {
      const { g, state, hyper } = c
      const grad = decoupled ? c.grads : withPenalty(c)
      const m = g.add(g.mul(state['m'] as string, beta1), grad)
      const v = g.add(g.mul(state['v'] as string, beta2), g.square(grad))
      const direction = g.div(m, g.add(g.sqrt(v), hyper['epsilon'] as string))
      const moved = descend(c, hyper['step_size'] as string, direction)
      if (!decoupled || c.decay === 0) return { params: moved, state: { m, v } }
      const shrink = g.mul(g.mul(c.params, c.decay), hyper['lr'] as string)
      return { params: g.sub(moved, c.rate === undefined ? shrink : g.mul(shrink, c.rate)), state: { m, v } }
    },
  }
}

/** Tieleman & Hinton 2012, lecture 6.5: p ← p − lr·g/(√E[g²] + ε), optionally through a momentum buffer. */
function rmsprop({ alpha = 0.99, epsilon = 1e-8, momentum = 0 }: OptimizerOptions): Optimizer {
  return {
    id: 'rmsprop',
    slots: momentum === 0 ? ['square'] : ['square', 'velocity'],
    hyper: (_step, lr) => ({ lr }),
    update: (c) => {
      const { g } = c
      const grad = withPenalty(c)
      const square = g.add(g.mul(c.state['square'] as string, alpha), g.mul(g.square(grad), 1 - alpha))
      const direction = g.div(grad, g.add(g.sqrt(square), epsilon))
      const lr = c.hyper['lr'] as string
      if (momentum === 0) return { params: descend(c, lr, direction), state: { square } }
      const velocity = g.add(g.mul(c.state['velocity'] as string, momentum), direction)
      return { params: descend(c, lr, velocity), state: { square, velocity } }
    },
  }
}

const makers: Readonly<Record<OptimizerId, (options: OptimizerOptions) => Optimizer>> = {
  sgd,
  adam: (options) => adam(options, false),
  adamw: (options) => adam(options, true),
  rmsprop,
}

export const optimizer = (id: OptimizerId, options: OptimizerOptions = {}): Optimizer => makers[id](options)
