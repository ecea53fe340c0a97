import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { CROWD, MANY, type Rounded, Rounds } from './rounds.ts'

const SMALL = 10 // bytes

class Client implements Rounded {
  roundIndex = -1
  resting = false
  turns = 0

  rest(): void {
    this.resting = true
  }

  wake(): void {
    if (this.resting) this.turns++
    this.resting = false
  }
}

let rounds: Rounds
let now = 0 // the sweeper's clock: stands for as long as a tick

const late = (client: Client): boolean => rounds.lacks(client, SMALL, now - 10_000, now)

beforeEach(() => {
  vi.useFakeTimers()
  rounds = new Rounds()
  now = performance.now()
})

afterEach(() => vi.useRealTimers())

function slow(count: number): Client[] {
  const clients = Array.from({ length: count }, () => new Client())
  for (const client of clients) late(client)
  return clients
}

test('a few slow clients are read as they come', () => {
  const clients = slow(MANY)
  for (let i = 0; i < 5; i++) for (const client of clients) expect(late(client)).toBe(false)
  expect(clients.some(({ resting }) => resting)).toBe(false)
  expect(vi.getTimerCount()).toBe(0)
})

test('so are many that do not send at the same time', () => {
  const clients = slow(MANY)
  for (let i = 0; i < 5000; i++) {
    if (i % 100 === 0) now += 100
    const client = new Client()
    clients.push(client)
    expect(late(client)).toBe(false)
  }
  expect(vi.getTimerCount()).toBe(0)
})

test('of many each rests after its piece, and has a turn a second', () => {
  const clients = slow(1000)
  for (const client of clients) expect(late(client)).toBe(true)
  expect(clients.every(({ resting }) => resting)).toBe(true)
  vi.advanceTimersByTime(1000)
  expect(clients.map(({ turns }) => turns)).toEqual(clients.map(() => 1))
  vi.advanceTimersByTime(2000)
  expect(clients.map(({ turns }) => turns)).toEqual(clients.map(() => 3))
})

test('one that was silent in its turn rests again, and few are awake at any time', () => {
  const clients = slow(1000)
  for (const client of clients) late(client)
  for (let i = 0; i < 300; i++) {
    vi.advanceTimersByTime(10)
    expect(clients.filter(({ resting }) => !resting).length).toBe(10)
  }
})

test('a request in two packets, and one whose bytes come in bulk, are never made to wait', () => {
  slow(1000)
  const young = new Client()
  expect(rounds.lacks(young, SMALL, now - 100, now)).toBe(false)
  const fast = new Client()
  expect(rounds.lacks(fast, 65_536, 0, now)).toBe(false)
  expect([young.roundIndex, fast.roundIndex]).toEqual([-1, -1])
})

test('whoever is whole leaves, awake; those behind keep their turns though it is in the middle of a round', () => {
  const clients = slow(1000)
  for (const client of clients) late(client)
  vi.advanceTimersByTime(500)
  const gone = clients.filter((_, i) => i % 3 === 0)
  for (const client of gone) {
    rounds.leave(client)
    rounds.leave(client) // twice is once
  }
  expect(gone.every(({ resting, roundIndex }) => !resting && roundIndex < 0)).toBe(true)
  const left = clients.filter((_, i) => i % 3 !== 0)
  const before = left.map(({ turns }) => turns)
  vi.advanceTimersByTime(1100)
  expect(left.every(({ turns }, i) => turns > before[i]!)).toBe(true)
  expect(rounds.size).toBe(left.length)
})

test('when few are left all are awake, and nothing ticks', () => {
  const clients = slow(1000)
  for (const client of clients) late(client)
  for (const client of clients.slice(100)) rounds.leave(client)
  vi.advanceTimersByTime(10)
  expect(clients.some(({ resting }) => resting)).toBe(false)
  expect(vi.getTimerCount()).toBe(0)
  now += 100
  expect(late(clients[0]!)).toBe(false)
})

test('a crowd that says nothing rests before it speaks, and for as long as it is there', () => {
  const clients = Array.from({ length: CROWD }, () => new Client())
  for (const client of clients) expect(rounds.waits(client, now - 1000, now)).toBe(false)
  const last = new Client()
  expect(rounds.waits(last, now - 100, now)).toBe(false) // it may only have paused for breath
  expect(rounds.waits(last, now - 1000, now)).toBe(true)
  expect(clients.every(({ resting }) => resting)).toBe(true)
  expect(rounds.waits(last, now - 1000, now)).toBe(false) // told once
  vi.advanceTimersByTime(70_000)
  expect(clients.filter(({ resting }) => !resting).length).toBeLessThan(20)
  expect(clients.every(({ turns }) => turns > 60)).toBe(true)
})

test('after a minute it is looked at again whether they are many', () => {
  const clients = slow(1000)
  expect(late(clients[0]!)).toBe(true)
  vi.advanceTimersByTime(60_020)
  expect(vi.getTimerCount()).toBe(0)
  now += 60_100
  expect(late(clients[0]!)).toBe(false)
  for (const client of clients) late(client)
  expect(late(clients[0]!)).toBe(true)
})
