import { expect, test } from 'vitest'
import { Silence } from './silence.ts'

// Looks every 250 ms until there is a reason; gives the time of it.
function look(silence: Silence, from: number, beatAt: (now: number) => number, until: number) {
  for (let now = from; now <= until; now += 250) {
    const reason = silence.reasonAt(now, beatAt(now))
    if (reason !== '') return { now, reason }
  }
  return null
}

test('a worker that beats is left alone', () => {
  expect(look(new Silence(0), 0, (now) => 1 + Math.floor(now / 500), 600_000)).toBeNull()
})

test('one that stops beating is given up after 5 s, and again after 5 more', () => {
  const silence = new Silence(0)
  const beatAt = (now: number): number => 1 + Math.floor(Math.min(now, 20_000) / 500)
  expect(look(silence, 0, beatAt, 60_000)).toEqual({
    now: 25_250,
    reason: 'did not answer for 5 s',
  })
  silence.forgive()
  expect(look(silence, 25_500, beatAt, 60_000)?.now).toBe(30_500)
})

test('one that has not beaten yet may load its modules for a minute', () => {
  const reason = 'did not start within 60 s'
  expect(look(new Silence(1000), 1000, () => 0, 100_000)).toEqual({ now: 61_250, reason })
  const late = (now: number): number => (now < 55_000 ? 0 : Math.floor(now / 500))
  expect(look(new Silence(0), 0, late, 100_000)).toBeNull()
})

test('time in which the watcher was stopped itself does not count', () => {
  const silence = new Silence(0)
  for (const now of [250, 500, 60_500, 120_500]) expect(silence.reasonAt(now, 7)).toBe('')
  expect(look(silence, 120_750, () => 7, 200_000)?.reason).toBe('did not answer for 5 s')
})
