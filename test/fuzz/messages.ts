// test/fuzz/messages.ts: messages that are nearly right: what smuggling, broken clients and bad luck send.
//
// Mostly legal parts with a wrong one here and there, then a few bytes changed. The first `legal` choices of a
// part are drawn far more often than the rest, so that a message usually has one fault or none: a second fault
// would hide behind the first.

import * as fc from 'fast-check'

type Weighted = readonly (readonly [weight: number, value: string])[]

const LEGAL_BONUS = 12

function pick(legal: number, choices: Weighted): fc.Arbitrary<string> {
  return fc.oneof(
    ...choices.map(([weight, value], index) => ({
      weight: index < legal ? weight * LEGAL_BONUS : weight,
      arbitrary: fc.constant(value),
    })),
  )
}

const method = pick(7, [
  [30, 'GET'],
  [20, 'POST'],
  [6, 'PUT'],
  [4, 'HEAD'],
  [4, 'OPTIONS'],
  [3, 'DELETE'],
  [2, 'PATCH'],
  [1, 'CONNECT'],
  [1, 'get'],
  [1, 'BREW'],
  [1, 'G@T'],
  [1, 'GE T'],
  [1, ''],
  [1, 'PRI'],
  [1, 'M-SEARCH'],
])

const target = pick(2, [
  [40, '/'],
  [20, '/a/b?c=d'],
  [4, '*'],
  [3, 'http://h/x?y'],
  [2, 'http://h'],
  [2, 'h:443'],
  [1, '/a#b'],
  [1, '/%zz'],
  [1, '/a%2fb'],
  [1, '/\x7f'],
  [1, '/\xe9'],
  [1, ''],
  [1, 'a'],
  [1, '//a/../b'],
  [1, '/a b'],
  [1, 'ftp://h/'],
  [1, 'http://u@h/'],
  [1, '/\t'],
  [1, '/\0'],
])

const version = pick(2, [
  [60, 'HTTP/1.1'],
  [8, 'HTTP/1.0'],
  [1, 'HTTP/1.2'],
  [1, 'HTTP/0.9'],
  [1, 'HTTP/2.0'],
  [1, 'http/1.1'],
  [1, 'HTTP/1.1 '],
  [1, 'HTTP/1.10'],
  [1, 'HTTP/11'],
  [1, 'HTTP/ 1.1'],
  [1, 'HTTP/1,1'],
  [1, ''],
])

const space = pick(1, [
  [60, ' '],
  [1, '  '],
  [1, '\t'],
  [1, ''],
])
const colon = pick(2, [
  [50, ': '],
  [6, ':'],
  [1, ' : '],
  [1, ' :'],
  [2, ':\t'],
  [2, ':  '],
  [1, '\t:'],
  [1, ''],
])
const lineEnd = pick(1, [
  [120, '\r\n'],
  [1, '\n'],
  [1, '\r'],
  [1, '\r\r\n'],
  [1, '\r\n '],
  [1, '\r\n\t'],
  [1, ' \r\n'],
  [1, '\n\r'],
  [1, '\0\r\n'],
  [1, '\x0b\r\n'],
])

const host = pick(3, [
  [40, 'Host|example.com'],
  [4, 'hOST|example.com:8080'],
  [2, 'Host|[::1]:80'],
  [1, 'Host|'],
  [1, 'Host|a b'],
  [1, 'Host|a@b'],
  [1, 'Host|a:99999'],
  [1, 'Host|a,b'],
  [1, 'Host|a/b'],
  [1, 'Host|a?b'],
  [1, 'Ho st|a'],
])

const framing = pick(4, [
  [20, 'Content-Length|5'],
  [20, 'Transfer-Encoding|chunked'],
  [4, 'Content-Length|0'],
  [3, 'content-length|3'],
  [2, 'Transfer-Encoding|Chunked'],
  [1, 'Content-Length|+5'],
  [1, 'Content-Length|-5'],
  [1, 'Content-Length|5, 5'],
  [1, 'Content-Length|'],
  [1, 'Content-Length|0x5'],
  [1, 'Content-Length|5 5'],
  [1, 'Content-Length|05'],
  [1, 'Content-Length|18446744073709551616'],
  [1, 'Content-Length|9007199254740993'],
  [1, 'Content-Length|5a'],
  [1, 'Content-Length|5\x0b'],
  [1, 'Transfer-Encoding|'],
  [1, 'Transfer-Encoding|gzip'],
  [1, 'Transfer-Encoding|identity'],
  [1, 'Transfer-Encoding|gzip, chunked'],
  [1, 'Transfer-Encoding|chunked, gzip'],
  [1, 'Transfer-Encoding|xchunked'],
  [1, 'Transfer-Encoding|chunked;q=1'],
  [1, 'Transfer-Encoding|"chunked"'],
  [1, 'Transfer-Encoding|chunked, chunked'],
  [1, 'Transfer_Encoding|chunked'],
  [1, 'Transfer-Encoding|\x0bchunked'],
  [1, 'Transfer-Encoding|,chunked'],
  [1, 'Transfer-Encoding|chun\xffked'],
])

const other = pick(6, [
  [10, 'Accept|*/*'],
  [6, 'X-Long|' + 'v'.repeat(60)],
  [4, 'Connection|keep-alive'],
  [2, 'Connection|close'],
  [2, 'Connection|Upgrade'],
  [2, 'Upgrade|websocket'],
  [1, 'Upgrade|h2c'],
  [1, 'Connection|x y'],
  [1, 'Connection|content-length, close'],
  [1, 'Expect|100-continue'],
  [1, 'Expect|200-ok'],
  [1, '|empty'],
  [1, 'X-Empty|'],
  [1, 'X-Obs|d\xfcrr'],
  [1, 'X-Del|a\x7fb'],
  [1, 'X(Y)|z'],
  [1, 'X-Nul|a\0b'],
  [1, 'X\xe9|y'],
  [1, 'TE|trailers'],
  [1, ' X|folded'],
  [1, 'Trailer|X-Sum'],
  [1, 'Keep-Alive|timeout=5'],
])

const chunk = pick(4, [
  [30, '5\r\nhello\r\n'],
  [10, 'A\r\n0123456789\r\n'],
  [3, '05\r\nhello\r\n'],
  [3, '5;a=b\r\nhello\r\n'],
  [2, '5;a="q;\\"\r"\r\nhello\r\n'],
  [2, '5;a="q"\r\nhello\r\n'],
  [1, '5 \r\nhello\r\n'],
  [1, ' 5\r\nhello\r\n'],
  [1, '5\nhello\r\n'],
  [1, '5\r\nhello\n'],
  [1, '5\r\nhello'],
  [1, '5\r\nhelloX\r\n'],
  [1, '0x5\r\nhello\r\n'],
  [1, '+5\r\nhello\r\n'],
  [1, '-5\r\nhello\r\n'],
  [1, 'g\r\n'],
  [1, '\r\n'],
  [1, '5 ;a\r\nhello\r\n'],
  [1, '5;\r\nhello\r\n'],
  [1, '5; a=b\r\nhello\r\n'],
  [1, '5;a\nb\r\nhello\r\n'],
  [1, '5\r\r\nhello\r\n'],
  [1, 'FFFFFFFFFFFFFFFF\r\n'],
  [1, '10000000000000000\r\n'],
  [1, '00000000000000005\r\nhello\r\n'],
  [1, '5;a\0\r\nhello\r\n'],
  [1, '5\t\r\nhello\r\n'],
  [1, ':\r\n'],
  [1, '@\r\n'],
])

const lastChunk = pick(5, [
  [40, '0\r\n\r\n'],
  [3, '0;a\r\n\r\n'],
  [3, '000\r\n\r\n'],
  [4, '0\r\nX-Sum: 1\r\n\r\n'],
  [2, '0\r\nA: b\r\nC:d\r\n\r\n'],
  [1, '0\r\nContent-Length: 5\r\n\r\n'],
  [1, '0\r\nTransfer-Encoding: chunked\r\n\r\n'],
  [1, '0\r\nHost: x\r\n\r\n'],
  [1, '0\n\n'],
  [1, '0\r\n\n'],
  [1, '0\r\nX : y\r\n\r\n'],
  [1, '0\r\n X: y\r\n\r\n'],
  [1, '0\r\n'],
  [1, ''],
  [1, '0\r\nx\r\n\r\n'],
  [1, '0\r\n: x\r\n\r\n'],
  [1, '0\r\nX: a\nY: b\r\n\r\n'],
  [1, '0\r\n\rX'],
])

const chunkedBody = fc
  .tuple(fc.array(chunk, { maxLength: 3 }), lastChunk)
  .map(([chunks, last]) => chunks.join('') + last)

const body = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  {
    weight: 5,
    arbitrary: pick(1, [
      [10, 'hello'],
      [1, 'hell'],
      [2, 'abc'],
      [1, 'hello\r\n'],
    ]),
  },
  { weight: 6, arbitrary: chunkedBody },
)

const NEXT_REQUEST = 'GET /next HTTP/1.1\r\nHost: n\r\n\r\n'
const NEXT_RESPONSE = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

function headerLine(field: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(field, colon, lineEnd).map(([pair, separator, end]) => {
    const at = pair.indexOf('|')
    return pair.slice(0, at) + separator + pair.slice(at + 1) + end
  })
}

// The framing line and the body that belongs to it, mostly.
const framed: fc.Arbitrary<readonly [string, string]> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(['', ''] as const) },
  { weight: 5, arbitrary: fc.constant(['Content-Length: 5\r\n', 'hello'] as const) },
  {
    weight: 9,
    arbitrary: chunkedBody.map((text) => ['Transfer-Encoding: chunked\r\n', text] as const),
  },
  { weight: 6, arbitrary: fc.tuple(headerLine(framing), body) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(headerLine(framing), headerLine(framing), body)
      .map(([first, second, text]) => [first + second, text] as const),
  },
)

const others = fc.array(headerLine(other), { maxLength: 3 }).map((all) => all.join(''))

const hostLines = fc.oneof(
  { weight: 60, arbitrary: headerLine(host) },
  { weight: 1, arbitrary: fc.constant('') },
  { weight: 2, arbitrary: fc.tuple(headerLine(host), headerLine(host)).map((two) => two.join('')) },
)

const request = fc
  .tuple(method, space, target, space, version, lineEnd, hostLines, others, framed, lineEnd)
  .map(([verb, s1, uri, s2, http, e1, hosts, rest, [frame, text], e2]) =>
    [verb, s1, uri, s2, http, e1, hosts, rest, frame, e2, text, NEXT_REQUEST].join(''),
  )

const statusLine = pick(9, [
  [40, 'HTTP/1.1 200 OK'],
  [5, 'HTTP/1.0 200 OK'],
  [4, 'HTTP/1.1 404 Not Found'],
  [3, 'HTTP/1.1 204 No Content'],
  [3, 'HTTP/1.1 304 Not Modified'],
  [2, 'HTTP/1.1 100 Continue'],
  [2, 'HTTP/1.1 103 Early Hints'],
  [2, 'HTTP/1.1 101 Switching Protocols'],
  [2, 'HTTP/1.1 200'],
  [2, 'HTTP/1.1 200 '],
  [1, 'HTTP/1.1 200  OK'],
  [1, 'HTTP/1.1 20 OK'],
  [1, 'HTTP/1.1 2000 OK'],
  [1, 'HTTP/1.1 099 X'],
  [1, 'HTTP/1.1 600 X'],
  [1, 'HTTP/1.1  200 OK'],
  [1, 'HTTP/2.0 200 OK'],
  [1, 'HTTP/0.9 200 OK'],
  [1, 'HTTP/1.2 200 OK'],
  [1, 'http/1.1 200 OK'],
  [1, 'HTTP/1.1 200 O\0K'],
  [1, 'HTTP/1.1 200 O\x7fK'],
  [1, 'HTTP/1.1 200 \xe9'],
  [1, 'HTTP/1.1 200\tOK'],
  [1, 'HTTP/1.1 2x0 OK'],
  [1, 'ICE/1.0 200 OK'],
])

const response = fc
  .tuple(statusLine, lineEnd, others, framed, lineEnd)
  .map(([first, e1, rest, [frame, text], e2]) =>
    [first, e1, rest, frame, e2, text, NEXT_RESPONSE].join(''),
  )

const NASTY = '\r\n\t \0:;,=/?#@%"\\\x0b\x0c\x7f\x80\xff\x85_.-+0159aAgGxX'

// [where, what, byte]: what 0 replaces, 1 inserts, 2 deletes, 3 doubles.
const mutation = fc.tuple(
  fc.nat({ max: 4095 }),
  fc.nat({ max: 3 }),
  fc.nat({ max: NASTY.length - 1 }),
)

function mutate(text: string, [where, what, byte]: [number, number, number]): string {
  const at = where % (text.length + 1)
  const c = NASTY[byte]!
  if (what === 0) return text.slice(0, at) + c + text.slice(at + 1)
  if (what === 1) return text.slice(0, at) + c + text.slice(at)
  if (what === 2) return text.slice(0, at) + text.slice(at + 1)
  return text.slice(0, at) + text.slice(at, at + 1) + text.slice(at)
}

function mutated(message: fc.Arbitrary<string>): fc.Arbitrary<Buffer> {
  const mutations = fc.oneof(
    { weight: 2, arbitrary: fc.constant([] as [number, number, number][]) },
    { weight: 1, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 2 }) },
  )
  return fc
    .tuple(message, mutations)
    .map(([text, all]) => Buffer.from(all.reduce(mutate, text), 'latin1'))
}

export const requestBytes = mutated(request)
export const responseBytes = mutated(response)
