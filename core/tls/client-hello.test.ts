import { Duplex } from 'node:stream'
import { connect } from 'node:tls'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type ClientHello,
  ClientHelloReader,
  HELLO_BYTES_MAX,
  HELLO_RAW_BYTES_MAX,
  type HelloReading,
  INVALID,
  NEED_MORE,
  NOT_TLS,
  readClientHello,
} from './client-hello.ts'
import { helloMessage, helloOf, recordsOf, sniBody, textBytes, u16 } from './hello.fixture.ts'

const plain = helloOf({
  names: ['Shop.Example.ORG.'],
  alpn: ['\x0a\x0a', 'h2', 'http/1.1'],
  versions: [0x1a1a, 0x0304, 0x0303],
  extra: [[0x2a2a, [0]]],
})

function helloIn(bytes: Uint8Array): ClientHello {
  const reading = readClientHello(bytes)
  if (typeof reading === 'number') throw new Error(`no hello but ${reading}`)
  return reading
}

// Feeds the first `cuts[i]` bytes at a time and gives the first final verdict.
function readInPieces(bytes: Uint8Array, cuts: readonly number[]): HelloReading {
  const reader = new ClientHelloReader()
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const reading = reader.read(bytes, Math.min(cut, bytes.length))
    if (reading !== NEED_MORE) return reading
  }
  return reader.read(bytes, bytes.length)
}

// What Node's own client sends; no socket is opened.
function nodeHello(options: object): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(chunk)
        done()
      },
    })
    connect({ socket: wire, ...options }).on('error', () => {})
  })
}

describe('a ClientHello', () => {
  test('tells the name in lower case without its dot, the protocols and the versions, without GREASE', () => {
    expect(helloIn(plain)).toEqual({
      serverName: 'shop.example.org',
      alpn: ['h2', 'http/1.1'],
      versions: [0x0304, 0x0303],
      ecdsaScheme: false,
      ecdsaSuite: false,
    })
  })

  test('of Node is read as it was meant', async () => {
    const bytes = await nodeHello({ servername: 'Node.example.org', ALPNProtocols: ['h2', 'x'] })
    const hello = helloIn(bytes)
    expect(hello.serverName).toBe('node.example.org')
    expect(hello.alpn).toEqual(['h2', 'x'])
    expect(hello.versions).toContain(0x0304)
  })

  test('tells whether the client can verify ECDSA, by a scheme and by a suite', () => {
    const ec = helloIn(helloOf({ suites: [0x0a0a, 0xc02b], extra: [[13, [0, 4, 8, 4, 4, 3]]] }))
    expect([ec.ecdsaScheme, ec.ecdsaSuite]).toEqual([true, true])
    const rsa = helloIn(helloOf({ suites: [0xc02f], extra: [[13, [0, 4, 8, 4, 4, 1]]] }))
    expect([rsa.ecdsaScheme, rsa.ecdsaSuite]).toEqual([false, false])
    const sha1 = helloIn(helloOf({ extra: [[13, [0, 2, 2, 3]]] }))
    expect(sha1.ecdsaScheme).toBe(false)
    expect(helloIn(helloOf({ extra: [[13, [0]]] })).ecdsaScheme).toBe(false)
  })

  test('without extensions names nothing and has the version of its head', () => {
    expect(helloIn(helloOf({}))).toEqual({
      serverName: '',
      alpn: [],
      versions: [0x0303],
      ecdsaScheme: false,
      ecdsaSuite: false,
    })
  })

  test('in records of one byte and segments of one byte is the same hello', () => {
    const message = helloMessage({ names: ['a.example.org'], alpn: ['h2'] })
    const expected = helloIn(recordsOf(message))
    for (const size of [1, 2, 3, 4, 5, 7, 64]) {
      const bytes = recordsOf(message, size)
      const everyByte = Array.from(bytes, (_, i) => i)
      expect(readInPieces(bytes, everyByte)).toEqual(expected)
    }
  })

  test('with a key share of ML-KEM size is read, cut anywhere', () => {
    const bytes = helloOf({
      names: ['pq.example.org'],
      extra: [[51, Array.from({ length: 1800 }, (_, i) => i & 255)]],
    })
    for (let cut = 0; cut < bytes.length; cut += 13) {
      expect((readInPieces(bytes, [cut]) as ClientHello).serverName).toBe('pq.example.org')
    }
  })

  test('leaves what follows its record alone', () => {
    const early = [23, 3, 3, 0, 1, 9]
    expect(helloIn(Uint8Array.from([...plain, ...early])).serverName).toBe('shop.example.org')
  })

  test('is asked for more until its last byte is there', () => {
    for (let length = 0; length < plain.length; length++)
      expect(readClientHello(plain, length)).toBe(NEED_MORE)
  })
})

describe('what is no ClientHello', () => {
  test.each([
    ['an HTTP request', textBytes('GET / HTTP/1.1\r\n')],
    ['an SSLv2 hello', [0x80, 0x2e, 1, 3, 1]],
    ['byte 22 of something else', [22, 7]],
  ])('%s is not TLS', (_name, bytes) => {
    expect(readClientHello(Uint8Array.from(bytes))).toBe(NOT_TLS)
  })

  const message = helloMessage({ names: ['a.org'] })
  test.each<[string, Uint8Array]>([
    ['two server names in two extensions', helloOf({ names: ['a.org', 'b.org'] })],
    [
      'two server names in one extension',
      helloOf({
        extra: [[0, [...u16(16), ...sniBody('a.org').slice(2), ...sniBody('b.org').slice(2)]]],
      }),
    ],
    ['an empty name', helloOf({ names: [''] })],
    ['a dot as name', helloOf({ names: ['.'] })],
    ['two trailing dots', helloOf({ names: ['a.org..'] })],
    ['an empty label', helloOf({ names: ['a..org'] })],
    ['NUL in the name', helloOf({ names: ['a.org\0.evil.org'] })],
    ['a control byte in the name', helloOf({ names: ['a\n.org'] })],
    ['a byte beyond ASCII in the name', helloOf({ names: [Uint8Array.of(0xe4, 0x2e, 0x61)] })],
    ['a slash in the name', helloOf({ names: ['a/b'] })],
    [
      'a name of 254 bytes',
      helloOf({ names: ['a.'.repeat(127)].map((n) => n.slice(0, 253) + 'a') }),
    ],
    ['a label of 64 bytes', helloOf({ names: ['a'.repeat(64) + '.org'] })],
    ['a name of another type', helloOf({ extra: [[0, [0, 5, 1, 0, 2, 97, 98]]] })],
    ['two ALPN extensions', helloOf({ alpn: ['h2'], extra: [[16, [0, 3, 2, 104, 50]]] })],
    ['an empty protocol', helloOf({ extra: [[16, [0, 1, 0]]] })],
    ['an ALPN list that is too long', helloOf({ extra: [[16, [0, 9, 2, 104, 50]]] })],
    ['an odd list of versions', helloOf({ extra: [[43, [3, 3, 4, 3]]] })],
    ['an odd list of cipher suites', tampered(message, 40, 3)],
    ['extensions longer than the message', tampered(message, message.length - 16, 255)],
    ['another handshake message', tampered(message, 0, 2)],
    ['a message longer than its bound', tampered(message, 2, 0x41)],
    ['bytes behind the message in its record', recordsOf(Uint8Array.from([...message, 0]))],
    ['an empty record', Uint8Array.from([22, 3, 1, 0, 0])],
    ['a record larger than TLS allows', Uint8Array.from([22, 3, 1, 0x40, 1])],
    ['an alert between two records', interrupted(message, 21)],
    ['a ChangeCipherSpec between two records', interrupted(message, 20)],
  ])('%s is invalid', (_name, bytes) => {
    expect(readClientHello(bytes)).toBe(INVALID)
  })

  test('more extensions than the bound are invalid', () => {
    const extra = Array.from({ length: 129 }, (_, i): [number, number[]] => [1000 + i, []])
    expect(readClientHello(helloOf({ extra }))).toBe(INVALID)
    expect(readClientHello(helloOf({ extra: extra.slice(1) }))).not.toBe(INVALID)
  })

  test('a hello in so many records that their heads fill the bound is invalid', () => {
    const large = helloMessage({ extra: [[51, Array.from({ length: 9000 }, () => 0)]] })
    expect(large.length).toBeLessThan(HELLO_BYTES_MAX)
    const bytes = recordsOf(large, 1)
    expect(bytes.length).toBeGreaterThan(HELLO_RAW_BYTES_MAX)
    const everyByte = Array.from(bytes, (_, i) => i)
    expect(readInPieces(bytes, everyByte)).toBe(INVALID)
    expect(readClientHello(bytes)).toBe(INVALID)
  })
})

function tampered(message: Uint8Array, at: number, value: number): Uint8Array {
  const copy = message.slice()
  copy[at] = value
  return recordsOf(copy)
}

function interrupted(message: Uint8Array, kind: number): Uint8Array {
  const bytes = recordsOf(message, 20)
  return Uint8Array.from([...bytes.subarray(0, 25), kind, 3, 3, 0, 1, 1, ...bytes.subarray(25)])
}

describe('any bytes', () => {
  const cuts = fc.array(fc.nat(400), { maxLength: 20 })

  test('are read without a throw, and split anywhere give the same verdict', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), cuts, (bytes, at) => {
        expect(readInPieces(bytes, at)).toEqual(readClientHello(bytes))
      }),
      { numRuns: 500 },
    )
  })

  test('that begin as a hello and are changed somewhere give the same verdict however split', () => {
    const change = fc.record({ at: fc.nat(plain.length - 1), value: fc.nat(255) })
    const property = fc.property(fc.array(change, { maxLength: 3 }), cuts, (changes, at) => {
      const bytes = plain.slice()
      for (const { at: i, value } of changes) bytes[i] = value
      expect(readInPieces(bytes, at)).toEqual(readClientHello(bytes))
    })
    fc.assert(property, { numRuns: 2000 })
  })

  test('a name that is read holds nothing but letters, digits, "-", "_" and single dots', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (name) => {
        const reading = readClientHello(helloOf({ names: [name] }))
        if (typeof reading === 'number') return
        expect(reading.serverName).toMatch(/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/)
      }),
      { numRuns: 500 },
    )
  })
})
