import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { KeptBody, UNKNOWN_LENGTH } from './recorder.ts'

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
      expect(record(new Kept(length, 100, false), ['one', '', 'three']).body).toBe('onethree')
    },
  )

  it('may be empty', () => {
    expect(record(new Kept(0, 100, false), []).body).toBe('')
    expect(record(new Kept(UNKNOWN_LENGTH, 100, false), []).body).toBe('')
  })

  it('is nothing when it is shorter or longer than announced, or than may be kept', () => {
    for (const kept of [
      new Kept(9, 100, false),
      new Kept(7, 100, false),
      new Kept(UNKNOWN_LENGTH, 7, false),
    ]) {
      record(kept, ['one', 'three'])
      expect([kept.body, kept.failures]).toEqual([null, 1])
    }
  })
})
