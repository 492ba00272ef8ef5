import { z } from 'zod'
import { AlambicError } from '../protocol/errors.ts'
import type { StepOptions } from '../train/step.ts'

/** What is different for some parameters of a training step. */
export const ParameterRule = z.strictObject({
  names: z.string().min(1).describe('Names of parameters; * stands for any characters'),
  lr: z.number().min(0).optional().describe('Factor of the learning rate; 0 freezes'),
  weightDecay: z.number().min(0).optional().describe('Instead of the common weight decay'),
})
export type ParameterRule = z.output<typeof ParameterRule>

/** `*` matches any characters, all others themselves. */
const matcher = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`)

/** Decay and rate per parameter; of several rules that match one, the last that says something counts. */
export function perParameter(
  rules: readonly ParameterRule[],
  weightDecay: number,
): Pick<StepOptions, 'decay' | 'rate'> {
  const compiled = rules.map((rule) => ({ ...rule, match: matcher(rule.names) }))
  const pick = (name: string, field: 'lr' | 'weightDecay', otherwise: number) =>
    compiled.findLast((rule) => rule[field] !== undefined && rule.match.test(name))?.[field] ?? otherwise
  const decays = weightDecay > 0 || rules.some((rule) => rule.weightDecay !== undefined)
  return {
    ...(decays ? { decay: (name: string) => pick(name, 'weightDecay', weightDecay) } : {}),
    ...(rules.some((rule) => rule.lr !== undefined) ? { rate: (name: string) => pick(name, 'lr', 1) } : {}),
  }
}

/** A rule that matches nothing is a mistake in its pattern: throws `recipe.rule`. */
export function checkRules(rules: readonly ParameterRule[], parameters: readonly string[]): void {
  const idle = rules.find((rule) => !parameters.some((name) => matcher(rule.names).test(name)))
  if (!idle) return
  throw new AlambicError('recipe.rule', `the rule for "${idle.names}" matches no trained parameter`, {
    subject: idle.names,
    expected: `some of ${parameters.slice(0, 8).join(', ')}${parameters.length > 8 ? ` and ${parameters.length - 8} more` : ''}`,
    found: idle.names,
    fix: 'Correct the pattern, or remove the rule.',
  })
}
