import { expect, test } from 'vitest'
import {
  addStep,
  blank,
  derive,
  duplicateStep,
  lineOf,
  moveStep,
  nameFrom,
  read,
  removeStep,
  setField,
} from './text.ts'

const text = `# What it is for.
alambic: 1
name: mine
title: Mine
steps:
  # First a cut.
  - step: prune
    ratio: 0.5 # half
  - step: finetune
    epochs: 2
`

test('a field is changed in its place, and remarks stay', () => {
  expect(setField(text, ['steps', 0, 'ratio'], 0.3)).toBe(text.replace('0.5 # half', '0.3 # half'))
  expect(setField(text, ['steps', 1, 'lr'], 0.01)).toBe(`${text}    lr: 0.01\n`)
  expect(setField(text, ['steps', 1, 'epochs'], undefined)).toBe(text.replace('    epochs: 2\n', ''))
  expect(setField(text, ['steps', 0, 'rules'], [{ layer: 'conv*', ratio: 0 }])).toContain(
    '    rules: [ { layer: conv*, ratio: 0 } ]\n',
  )
  expect(read(setField(text, ['targets', 'maxDrop'], 0.01)).plain).toMatchObject({ targets: { maxDrop: 0.01 } })
  expect(
    read(setField(setField(text, ['targets', 'maxDrop'], 1), ['targets', 'maxDrop'], undefined)).plain,
  ).not.toHaveProperty('targets')
})

test('steps are added, doubled, moved with their remarks, and removed', () => {
  const ids = (of: string) => read(of).steps.map(({ step }) => step)
  expect(ids(addStep(text, 'pack', 2))).toEqual(['prune', 'finetune', 'pack'])
  expect(ids(duplicateStep(text, 0))).toEqual(['prune', 'prune', 'finetune'])
  expect(ids(removeStep(text, 0))).toEqual(['finetune'])
  const moved = moveStep(text, 0, 1)
  expect(ids(moved)).toEqual(['finetune', 'prune'])
  expect(moved).toContain('# half')
  expect(moved.startsWith('# What it is for.\n')).toBe(true)
  // There and back again is the same text.
  expect(read(moveStep(moved, 1, 0)).plain).toEqual(read(text).plain)
  expect(ids(addStep('alambic: 1\nname: x\n', 'train', 0))).toEqual(['train'])
})

test('what stands for something else is written out before it is moved or changed', () => {
  const shared =
    'steps:\n  - step: a\n    augmentation: &shifts { flip: 0.5 }\n  - step: b\n    augmentation: *shifts\n'
  const moved = moveStep(shared, 1, 0)
  expect(read(moved).steps).toEqual(read(shared).steps.toReversed())
  expect(moved).not.toMatch(/[&*]shifts/)
  const changed = read(setField(shared, ['steps', 0, 'augmentation', 'flip'], 0.1))
  expect(changed.steps.map(({ options }) => options['augmentation'])).toEqual([{ flip: 0.1 }, { flip: 0.5 }])
})

test('a text that cannot be read says where, and no form changes it', () => {
  const broken = 'alambic: 1\nsteps:\n  - step: [prune\n  ratio: 2\n'
  const { fault, plain } = read(broken)
  expect(plain).toBeUndefined()
  expect(fault?.line).toBeGreaterThanOrEqual(3)
  expect(fault?.message).not.toContain('\n')
  expect(addStep(broken, 'pack', 0)).toBe(broken)
  expect(read('- a\n').fault?.line).toBe(1)
})

test('the line of a field', () => {
  expect(lineOf(text, ['name'])).toBe(3)
  expect(lineOf(text, ['steps', 0, 'ratio'])).toBe(8)
  expect(lineOf(text, ['steps', 1])).toBe(9)
  expect(lineOf(text, ['steps', 1, 'lr'])).toBe(9)
  expect(lineOf(text, ['nothing'])).toBe(1)
})

test('a recipe is made from another, or from nothing', () => {
  const made = derive(text, { name: 'other', title: 'Other', parent: 'mine' })
  expect(read(made).plain).toMatchObject({ name: 'other', title: 'Other', parent: 'mine' })
  expect(made).toContain('# half')
  expect(made.indexOf('parent:')).toBeLessThan(made.indexOf('steps:'))
  expect(read(blank('Für Geräte')).plain).toMatchObject({ name: 'fur-gerate', title: 'Für Geräte' })
  expect(nameFrom('剪枝')).toBe('recipe')
})
