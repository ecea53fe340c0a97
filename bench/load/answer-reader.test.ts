import { expect, test } from 'vitest'
import { AnswerReader } from './answer-reader.ts'

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello'

test('An answer is complete with its last byte, in whatever pieces it comes.', () => {
  const reader = new AnswerReader()
  const states = [...Buffer.from(ANSWER)].map((byte) => reader.push(Buffer.from([byte])))
  expect(states.slice(0, -1).every((status) => status === 0)).toBe(true)
  expect(states.at(-1)).toBe(200)
  expect(new AnswerReader().push(Buffer.from(ANSWER))).toBe(200)
})

test('The status of an error is told.', () => {
  const refused = 'HTTP/1.1 502 Bad Gateway\r\ncontent-length:0\r\n\r\n'
  expect(new AnswerReader().push(Buffer.from(refused))).toBe(502)
})

test.each([
  ['more bytes than announced', `${ANSWER}!`],
  ['no length', 'HTTP/1.1 200 OK\r\n\r\n'],
  ['something else', `220 mail.test ready\r\ncontent-length: 0\r\n\r\n`],
  ['a head without end', 'x'.repeat(16_385)],
])('An answer with %s is none.', (_what, text) => {
  expect(new AnswerReader().push(Buffer.from(text))).toBe(-1)
})
