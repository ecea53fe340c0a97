// test/conformance/http1-splits.test.ts: where the network cuts the bytes never changes what is read.
//
// Each stream is read whole, byte by byte, in pieces of 2 to 16 bytes, and cut in two at every byte; messages,
// facts, bodies, trailers and errors must be the same.

import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { StreamReader, readInTwo, readStream } from '../fuzz/codec.ts'

const requests = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  '\r\n\r\nGET /%41//b?c;d HTTP/1.1\r\nhost: [::1]:80\r\nConnection: keep-alive, x-y\r\nX-Y: 1\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /next HTTP/1.0\r\n\r\nGET /never HTTP/1.1\r\n',
  'POST http://u/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n' +
    '5;a="b\\"";c=d\r\nhello\r\nA\r\n0123456789\r\n0;x\r\nX-Sum: 1\r\nY:2\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00\xff',
  'GET / HTTP/1.1\r\nHost: a\r\nA:\t  b \t\r\nB:\r\nC:   \r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nA: b\nC: d\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello',
  'GET / HTTP/1.1\r\nHost: a\r\n\rX',
  'GET /#a HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET / HTTP/1.10\r\nHost: a\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 ;a\r\nhello\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\rX',
  '\x16\x03\x01\x02\x00\x01\x00\x01',
]

const responses = [
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n',
  'HTTP/1.0 200 OK\r\nA: b\r\n\r\nbody to the end',
  'HTTP/1.1 204 \r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00',
  'HTTP/1.1 200 OK\nA: b\r\n\r\n',
  'HTTP/1.1 2000 OK\r\n\r\n',
  'HTTP/1.1 200 O\0K\r\n\r\n',
  'HTTP/2.0 200 OK\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
]

const FILE = new URL('../../../shared/data/http1/llhttp/cases.json', import.meta.url)

interface Case {
  readonly parser: string
  readonly inputBase64: string
}

function checkEveryCut(ofRequests: boolean, bytes: Buffer): void {
  const whole = readStream(ofRequests, bytes)
  for (let piece = 1; piece <= 16; piece++) {
    expect(readStream(ofRequests, bytes, piece), `pieces of ${piece}`).toEqual(whole)
  }
  for (let cut = 0; cut <= bytes.length; cut++) {
    expect(readInTwo(ofRequests, bytes, cut), `cut at ${cut}`).toEqual(whole)
  }
}

describe('a stream reads the same however it is cut', () => {
  test.each(requests)('request %j', (text) => checkEveryCut(true, Buffer.from(text, 'latin1')))
  test.each(responses)('response %j', (text) => checkEveryCut(false, Buffer.from(text, 'latin1')))

  test.skipIf(!existsSync(FILE))(
    'all llhttp cases (skipped: ../shared/data/http1 is absent)',
    () => {
      const { cases } = JSON.parse(readFileSync(FILE, 'utf8')) as { cases: Case[] }
      for (const given of cases) {
        if (given.parser === 'url') continue
        checkEveryCut(given.parser === 'request', Buffer.from(given.inputBase64, 'base64'))
      }
    },
  )

  test('limits are met at the same byte', () => {
    const limits = { headBytesMax: 60, headerCountMax: 3 }
    const texts = [
      'GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\nE: f\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nA: ' + 'x'.repeat(100) + '\r\n\r\n',
      'GET /' + 'x'.repeat(100) + ' HTTP/1.1\r\n\r\n',
    ]
    for (const text of texts) {
      const bytes = Buffer.from(text)
      const whole = new StreamReader(true, limits)
      whole.feed(bytes)
      for (let cut = 0; cut <= bytes.length; cut++) {
        const reader = new StreamReader(true, limits)
        reader.feed(bytes.subarray(0, cut))
        reader.feed(bytes.subarray(cut))
        expect(reader.finish(), `${text} cut at ${cut}`).toEqual(whole.finish())
      }
    }
  })
})
