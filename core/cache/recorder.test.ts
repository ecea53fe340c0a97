import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { KeptBody, type RecordingRoom, UNKNOWN_LENGTH } from './recorder.ts'

class Kept extends KeptBody {
  body: string | null = null
  failures = 0

  protected commit(body: Uint8Array): void {
    this.body = Buffer.from(body).toString()
  }

  protected gaveUp(): void {
    this.failures++
  }
}

// For so many bytes under way.
class Room implements RecordingRoom {
  left: number

  constructor(left: number) {
    this.left = left
  }

  reserve(bytes: number): boolean {
    if (bytes > this.left) return false
    this.left -= bytes
    return true
  }

  giveBack(bytes: number): void {
    this.left += bytes
  }
}

const kept = (expected: number, bytesMax: number, room = new Room(10_000)): Kept =>
  new Kept(expected, bytesMax, false, room)

// As sockets do: every piece lies in the same memory, which the next one overwrites.
function record(kept: Kept, pieces: readonly string[]): Kept {
  const shared = Buffer.alloc(100)
  for (const piece of pieces) {
    shared.write(piece, 3)
    kept.piece(shared, 3, 3 + piece.length)
  }
  kept.end()
  return kept
}

describe('a body that is kept while it passes', () => {
  it.each([UNKNOWN_LENGTH, 8])(
    'is a copy, whatever becomes of the memory it came in: %i',
    (length) => {
      expect(record(kept(length, 100), ['one', '', 'three']).body).toBe('onethree')
    },
  )

  it('may be empty', () => {
    expect(record(kept(0, 100), []).body).toBe('')
    expect(record(kept(UNKNOWN_LENGTH, 100), []).body).toBe('')
  })

  it('is nothing when it is shorter or longer than announced, or than may be kept', () => {
    for (const one of [kept(9, 100), kept(7, 100), kept(UNKNOWN_LENGTH, 7)]) {
      record(one, ['one', 'three'])
      expect([one.body, one.failures]).toEqual([null, 1])
    }
  })

  it.each([UNKNOWN_LENGTH, 8])('takes room while it comes, and gives it back: %i', (length) => {
    const room = new Room(10_000)
    const bytes = Buffer.from('onethree')
    const [whole, dropped] = [kept(length, 100, room), kept(length, 100, room)]
    for (const one of [whole, dropped]) one.piece(bytes, 0, 3)
    expect(room.left).toBeLessThanOrEqual(10_000 - 2 * (length < 0 ? 3 : 8))
    whole.piece(bytes, 3, 8)
    whole.end()
    dropped.release()
    dropped.release()
    expect([whole.body, dropped.body, room.left]).toEqual(['onethree', null, 10_000])
  })

  it.each([UNKNOWN_LENGTH, 8])('is nothing when there is no room for it: %i', (length) => {
    const room = new Room(7)
    const one = record(kept(length, 100, room), ['one', 'three'])
    expect([one.body, one.failures, room.left]).toEqual([null, 1, 7])
  })
})
