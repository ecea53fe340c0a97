import { describe, expect, it } from 'vitest'
import { BUSY, CACHE_BOARD_BYTES, CLAIMED, CacheBoard, TAKEN } from './cache-board.ts'

const newBoards = (): [CacheBoard, CacheBoard] => {
  const memory = new SharedArrayBuffer(CACHE_BOARD_BYTES)
  return [new CacheBoard(memory), new CacheBoard(memory)]
}

describe('stamps', () => {
  it('end what was asked for before, in every worker, and nothing that is asked for later', () => {
    const [mine, other] = newBoards()
    expect(other.isPurged(7, 100)).toBe(false)
    mine.purge(7, 100)
    expect(other.isPurged(7, 100)).toBe(true)
    expect(other.isPurged(7, 101)).toBe(false)
    expect(other.isPurged(8, 100)).toBe(false)
    mine.purge(7, 50) // a late word takes nothing back
    expect(other.isPurged(7, 100)).toBe(true)
  })

  it('of everything are about every URL', () => {
    const [mine, other] = newBoards()
    mine.purgeAll(10)
    expect(other.isPurged(0xffffffff, 9)).toBe(true)
    expect(other.isPurged(0xffffffff, 11)).toBe(false)
  })
})

describe('locks', () => {
  it('are had by one worker at a time, and tell it whether another one waits', () => {
    const [mine, other] = newBoards()
    expect(mine.claim(5, 0, 0, 1000)).toBe(CLAIMED)
    expect(mine.release(5, 0)).toBe(false)
    expect(mine.claim(5, 0, 0, 1000)).toBe(CLAIMED)
    expect(other.claim(5, 1, 1, 1000)).toBe(TAKEN)
    expect(mine.release(5, 0)).toBe(true)
    expect(other.claim(5, 1, 2, 1000)).toBe(CLAIMED)
  })

  it('of one place and two keys make nobody wait', () => {
    const [mine, other] = newBoards()
    mine.claim(5, 0, 0, 1000)
    expect(other.claim(5 + 16_384, 1, 0, 1000)).toBe(BUSY)
  })

  it('end by their time when they are not given back', () => {
    const [mine, other] = newBoards()
    mine.claim(5, 0, 0, 1000)
    expect(other.claim(5, 1, 999, 1000)).toBe(TAKEN)
    expect(other.claim(5, 1, 1000, 1000)).toBe(CLAIMED)
    mine.release(5, 0) // too late: it is the other one's
    expect(mine.claim(5, 0, 1001, 1000)).toBe(TAKEN)
  })
})
