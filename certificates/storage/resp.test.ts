import { assert, property, uint8Array } from 'fast-check'
import { expect, test } from 'vitest'
import { RedisError, encodeCommand, parseReply } from './resp.ts'

function parse(text: string) {
  return parseReply(Buffer.from(text), 0, 0)
}

test('Every kind of reply is read', () => {
  expect(parse('+OK\r\n')).toEqual({ reply: 'OK', end: 5 })
  expect(parse(':12\r\n')).toEqual({ reply: 12, end: 5 })
  expect(parse('$5\r\nh\r\nlo\r\n')).toEqual({ reply: 'h\r\nlo', end: 11 })
  expect(parse('$-1\r\n')).toEqual({ reply: null, end: 5 })
  expect(parse('*2\r\n$1\r\na\r\n:7\r\n')).toEqual({ reply: ['a', 7], end: 15 })
  expect(parse('-ERR no\r\n')).toMatchObject({ reply: new RedisError('ERR no') })
})

test('A reply that is cut anywhere asks for more bytes, and for no fewer than it has', () => {
  const whole = '*3\r\n$3\r\nabc\r\n*1\r\n:5\r\n$-1\r\n'
  for (let at = 0; at < whole.length; at++) {
    const part = parse(whole.slice(0, at))
    expect(typeof part, String(at)).toBe('number')
    expect(part).toBeGreaterThan(at)
  }
  expect(parse(whole)).toEqual({ reply: ['abc', [5], null], end: whole.length })
})

test('What is not of RESP2, too deep or too long is refused', () => {
  for (const text of [
    'hello\r\n',
    '$x\r\n',
    '%1\r\n',
    '*1\r\n'.repeat(6),
    '$99999999999\r\n',
    '*9999999\r\n',
  ])
    expect(() => parse(text), text).toThrow(RedisError)
  expect(() => parse('+' + 'x'.repeat(70_000))).toThrow(RedisError)
})

test('Bytes of a stranger give a reply, a wish for more, or a RedisError', () => {
  assert(
    property(uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        parseReply(Buffer.from(bytes), 0, 0)
      } catch (fault) {
        expect(fault).toBeInstanceOf(RedisError)
      }
    }),
  )
})

test('Words of a command are counted in bytes', () => {
  expect(encodeCommand(['SET', 'ü', '']).toString()).toBe(
    '*3\r\n$3\r\nSET\r\n$2\r\nü\r\n$0\r\n\r\n',
  )
})
