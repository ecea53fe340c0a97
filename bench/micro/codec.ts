// bench/micro/codec.ts: heads and chunked bodies as they come, through core/h1.

import { Exchange, METHOD_GET } from '../../core/exchange.ts'
import { ChunkedDecoder, END, MORE } from '../../core/h1/chunked.ts'
import { RequestParser } from '../../core/h1/request.ts'
import { ResponseParser } from '../../core/h1/response.ts'
import { HEADER_COUNT_MAX, HEAD_BYTES_MAX, responseLimits } from '../../core/limits.ts'
import type { MicroCase } from '../micro.ts'

const limits = { headBytesMax: HEAD_BYTES_MAX, headerCountMax: HEADER_COUNT_MAX }

const small = 'GET / HTTP/1.1\r\nHost: bench.test\r\n\r\n'

const browser = `GET /teams/4/services/1234/items?page=2&sort=name HTTP/1.1\r
Host: www.example.com\r
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r
Accept-Language: en-GB,en;q=0.7,de;q=0.3\r
Accept-Encoding: gzip, deflate, br, zstd\r
Referer: https://www.example.com/teams/4\r
Connection: keep-alive\r
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes\r
Upgrade-Insecure-Requests: 1\r
Sec-Fetch-Dest: document\r
Sec-Fetch-Mode: navigate\r
Sec-Fetch-Site: same-origin\r
Priority: u=0, i\r
\r
`

const upload = `POST /upload HTTP/1.1\r
Host: api.example.com\r
Content-Type: application/json\r
Content-Length: 65536\r
Authorization: Bearer 0123456789abcdef0123456789abcdef0123456789abcdef\r
\r
`

const answer = `HTTP/1.1 200 OK\r
Server: nginx/1.22.1\r
Date: Fri, 20 Nov 2026 12:00:00 GMT\r
Content-Type: text/plain\r
Content-Length: 101\r
Connection: keep-alive\r
\r
`

const CHUNKS = 16
const chunked = `${`400\r\n${'x'.repeat(0x400)}\r\n`.repeat(CHUNKS)}0\r\n\r\n`

export function codecCases(): MicroCase[] {
  return [
    parseCase('request head, 1 line', small),
    parseCase('request head, 13 lines as a browser sends them', browser),
    parseCase('request head of an upload', upload),
    splitCase('the same 13 lines in two pieces', browser),
    answerCase('response head, 5 lines', answer),
    chunkedCase(`chunked body, ${CHUNKS} chunks of 1 KiB`, chunked),
  ]
}

function parseCase(name: string, text: string): MicroCase {
  const bytes = Buffer.from(text, 'latin1')
  const exchange = new Exchange()
  const parser = new RequestParser()
  const run = (): number => {
    exchange.reset()
    parser.reset()
    return parser.parse(exchange, bytes, 0, bytes.length, limits)
  }
  return checked({ name: `${name} (${bytes.length} bytes)`, run }, bytes.length)
}

function splitCase(name: string, text: string): MicroCase {
  const bytes = Buffer.from(text, 'latin1')
  const middle = bytes.length >> 1
  const exchange = new Exchange()
  const parser = new RequestParser()
  const run = (): number => {
    exchange.reset()
    parser.reset()
    parser.parse(exchange, bytes, 0, middle, limits)
    return parser.parse(exchange, bytes, 0, bytes.length, limits)
  }
  return checked({ name, run }, bytes.length)
}

function answerCase(name: string, text: string): MicroCase {
  const bytes = Buffer.from(text, 'latin1')
  const exchange = new Exchange()
  exchange.reset()
  exchange.methodId = METHOD_GET
  const parser = new ResponseParser()
  const run = (): number => {
    parser.reset()
    return parser.parse(exchange, bytes, 0, bytes.length, responseLimits)
  }
  return checked({ name: `${name} (${bytes.length} bytes)`, run }, bytes.length)
}

function chunkedCase(name: string, text: string): MicroCase {
  const bytes = Buffer.from(text, 'latin1')
  const decoder = new ChunkedDecoder()
  const run = (): number => {
    decoder.reset()
    let told = decoder.next(bytes, 0, bytes.length)
    while (told > MORE && told !== END) told = decoder.next(bytes, decoder.pos, bytes.length)
    return told === END ? decoder.pos : told
  }
  return checked({ name, run }, bytes.length)
}

function checked(one: MicroCase, expected: number): MicroCase {
  const found = one.run()
  if (found !== expected)
    throw new Error(`${one.name}: parse gave ${String(found)}, not ${expected}`)
  return one
}
