import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameCounter } from './frame-counter.ts'
import { FrameWriter } from './frame-writer.ts'
import { BINARY, CLOSE } from './frames.ts'

// As a server writes it: without a mask.
function plain(opcode: number, length: number): Buffer {
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const head = Buffer.alloc(2 + extra)
  head[0] = 128 | opcode
  head[1] = extra === 0 ? length : extra === 2 ? 126 : 127
  if (extra === 2) head.writeUInt16BE(length, 2)
  if (extra === 8) head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, Buffer.alloc(length, 0x88)]) // a payload that looks like close frames
}

function masked(opcode: number, length: number): Buffer {
  const writer = new FrameWriter()
  writer.write(opcode, Buffer.alloc(length, 3), 0x88888888)
  return Buffer.from(writer.bytes.subarray(writer.start, writer.end))
}

const lengths = [0, 1, 125, 126, 300, 65_535, 65_536, 70_000]

describe('FrameCounter', () => {
  it('is between two frames at once where nothing has come yet', () => {
    const counter = new FrameCounter()
    counter.leave()
    expect([counter.takeTurn(), counter.takeTurn()]).toEqual([true, false])
    expect(counter.count(plain(BINARY, 5), 0, 7)).toBe(0)
  })

  it('passes the frame under way to its end and nothing behind it, however the bytes are cut', () => {
    const frame = fc.record({ length: fc.constantFrom(...lengths), isMasked: fc.boolean() })
    const cuts = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 })
    const property = fc.property(
      fc.array(frame, { minLength: 1, maxLength: 5 }),
      cuts,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (frames, sizes, share) => {
        const parts = frames.map((one) => (one.isMasked ? masked : plain)(BINARY, one.length))
        const bytes = Buffer.concat(parts)
        const leaveAt = Math.floor(share * bytes.length)
        let end = 0 // of the frame under way at `leaveAt`
        for (const part of parts) if (end < leaveAt) end += part.length
        expect(passed(bytes, sizes, leaveAt)).toBe(end)
      },
    )
    fc.assert(property, { numRuns: 300 })
  })

  it('says nothing after a close frame of the sender', () => {
    const counter = new FrameCounter()
    const bytes = plain(CLOSE, 2)
    expect(counter.count(bytes, 0, bytes.length)).toBe(bytes.length)
    counter.leave()
    expect([counter.saidClose, counter.takeTurn()]).toEqual([true, false])
  })

  it('says nothing after a close frame whose head it has not seen when it was to leave', () => {
    const counter = new FrameCounter()
    const bytes = plain(CLOSE, 2)
    counter.count(bytes, 0, 1)
    counter.leave()
    expect(counter.count(bytes, 1, bytes.length)).toBe(bytes.length)
    expect(counter.takeTurn()).toBe(false)
  })
})

// How many bytes pass when leave() comes after `leaveAt` of them.
function passed(bytes: Buffer, sizes: readonly number[], leaveAt: number): number {
  const counter = new FrameCounter()
  let sum = 0
  let round = 0
  for (let at = 0; at < bytes.length;) {
    const wish = at + sizes[round++ % sizes.length]!
    const end = Math.min(bytes.length, at < leaveAt ? Math.min(wish, leaveAt) : wish)
    if (at === leaveAt) counter.leave()
    sum += counter.count(bytes, at, end) - at
    at = end
  }
  if (leaveAt === bytes.length) counter.leave()
  expect(counter.takeTurn()).toBe(true)
  return sum
}
