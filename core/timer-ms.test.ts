import { expect, test } from 'vitest'
import { TIMER_MS_MAX, timerMs } from './timer-ms.ts'

test('a time that a timer can keep stays, a longer one becomes the longest', () => {
  expect([0, 1.5, TIMER_MS_MAX].map(timerMs)).toEqual([0, 1.5, TIMER_MS_MAX])
  expect([TIMER_MS_MAX + 1, 720 * 3_600_000, Infinity].map(timerMs)).toEqual(
    Array.from({ length: 3 }, () => TIMER_MS_MAX),
  )
})
