// The users of one basicAuth: who is found, who stands in for strangers, what is remembered.
import { expect, it } from 'vitest'
import { Users, usersOf } from './users.ts'

const sha = '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g='
const bcrypt = (cost: string) => `$2y$${cost}$${'a'.repeat(53)}`

it('the last line of a user counts', () => {
  const users = new Users([`ann:${sha}`, `ann:${bcrypt('05')}`])
  expect([users.size, users.find('ann')?.hash]).toEqual([1, bcrypt('05')])
  expect(users.find('bob')).toBe(null)
})

it('a stranger costs what the dearest user costs', () => {
  const users = new Users([
    `a:${sha}`,
    `b:${bcrypt('05')}`,
    `c:${bcrypt('12')}`,
    `d:${bcrypt('10')}`,
  ])
  expect(users.stranger?.user).toBe('c')
  expect(new Users([]).stranger).toBe(null)
})

it('remembers for a while, and of many the newest', () => {
  const users = new Users([])
  users.remember('a', 100)
  expect([users.isRemembered('a', 99), users.isRemembered('a', 100)]).toEqual([true, false])
  users.remember('old', 1000)
  for (let i = 0; i < 4096; i++) users.remember(`k${i}`, 1000)
  expect([users.isRemembered('old', 0), users.isRemembered('k0', 0)]).toEqual([false, true])
})

it('routers of one plan share them', () => {
  const plan = {}
  expect(usersOf(plan, [`ann:${sha}`])).toBe(usersOf(plan, []))
  expect(usersOf({}, [])).not.toBe(usersOf(plan, []))
})
