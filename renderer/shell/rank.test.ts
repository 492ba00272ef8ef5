import { expect, test } from 'vitest'
import { rank } from './rank.ts'

const titles = ['Go to projects', 'Open the sample project', 'New project', '转到项目', 'Dark theme']
const found = (query: string) => rank(titles, query, (title) => title)

test('the best match comes first, and what does not match is left out', () => {
  expect(found('')).toEqual(titles)
  expect(found('new')).toEqual(['New project'])
  expect(found('project')[0]).toBe('Go to projects')
  expect(found('dt')).toEqual(['Dark theme'])
  expect(found('项')).toEqual(['转到项目'])
  expect(found('xyz')).toEqual([])
})
