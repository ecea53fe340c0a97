import { expect, test } from 'vitest'
import { HeldBody } from './held-body.ts'

const KIB = 1024

function chunk(text: string): ArrayBuffer {
  return Uint8Array.from(Buffer.from(text)).buffer
}

test('pieces come out in order, and the last one says so', () => {
  const body = new HeldBody()
  expect(body.add(chunk('one'), false, KIB)).toBe(true)
  expect(body.add(chunk('two'), true, KIB)).toBe(true)
  expect([body.take().toString(), body.isLast, body.isHeld]).toEqual(['one', false, true])
  expect([body.take().toString(), body.isLast, body.isHeld]).toEqual(['two', true, false])
})

test('an end without bytes is held too', () => {
  const body = new HeldBody()
  body.add(new ArrayBuffer(0), true, KIB)
  expect(body.isHeld).toBe(true)
  expect([body.take().length, body.isLast, body.isHeld]).toEqual([0, true, false])
})

test('a piece is a copy: uWebSockets.js takes its memory back', () => {
  const body = new HeldBody()
  const memory = chunk('mine')
  body.add(memory, false, KIB)
  new Uint8Array(memory).fill(0)
  expect(body.take().toString()).toBe('mine')
})

test('no more than its bound and two read buffers are held; what was taken makes room', () => {
  const body = new HeldBody()
  const piece = new ArrayBuffer(512 * KIB)
  for (let i = 0; i < 4; i++) expect(body.add(piece, false, KIB * KIB)).toBe(true)
  expect(body.add(piece, false, KIB * KIB)).toBe(false)
  const other = new HeldBody()
  for (let i = 0; i < 20; i++) {
    expect(other.add(piece, false, KIB * KIB)).toBe(true)
    other.take()
  }
  body.clear()
  expect(body.isHeld).toBe(false)
  expect(body.add(piece, false, KIB * KIB)).toBe(true)
})
