import { expect, test } from 'vitest'
import { Judge, type Suite } from './judge.ts'

const suites: Suite[] = [
  {
    id: 'all',
    tests: [
      { id: 'asked', name: '', kind: 'check' },
      { id: 'a', name: '' },
      { id: 'b', name: '', depends_on: ['asked'] },
      { id: 'c', name: '' },
      { id: 'd', name: '', kind: 'optimal', depends_on: ['b'] },
      { id: 'browser', name: '', browser_only: true },
    ],
  },
]

test('a test counts only when what it depends on has passed', () => {
  const judge = new Judge(suites, {
    asked: ['Assertion', 'no'],
    a: true,
    b: true,
    c: ['Setup', 'no server'],
    d: true,
  })
  expect(judge.counts('required')).toMatchObject({ passed: 1, dependency: 1, 'set-up': 1 })
  expect(judge.counts('optimal')).toMatchObject({ dependency: 1 })
  expect(judge.lines('required')).toEqual(['dependency b: ', 'set-up     c: no server'])
})
