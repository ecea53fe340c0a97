import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32c } from './crc32c.ts'
import { NEED_MORE, NOT_PROXY, type ProxyHeader, type ProxyReading } from './header.ts'
import { readProxyHeader } from './read.ts'
import { localHeader, proxyHeader, proxyHeaderV1, proxyHeaderV2 } from './write.ts'

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

function textBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0))
}

// A v2 header by hand.
function v2(command: number, family: number, body: readonly number[]): Uint8Array {
  return Uint8Array.from([
    ...SIGNATURE,
    0x20 | command,
    family,
    body.length >> 8,
    body.length & 255,
    ...body,
  ])
}

const pair4 = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xbb]

function header(bytes: Uint8Array): ProxyHeader {
  const reading = readProxyHeader(bytes)
  if (typeof reading === 'number' || 'reason' in reading)
    throw new Error(`no header but ${JSON.stringify(reading)}`)
  return reading
}

function reason(bytes: Uint8Array): string {
  const reading = readProxyHeader(bytes)
  return typeof reading === 'object' && 'reason' in reading ? reading.reason : `none: ${reading}`
}

describe('a v1 header', () => {
  test('tells both ends and where the bytes of the client begin', () => {
    const line = 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n'
    expect(header(textBytes(line + 'GET /'))).toEqual({
      version: 1,
      bytes: line.length,
      family: 'ipv4',
      datagram: false,
      sourceAddress: '192.0.2.7',
      sourcePort: 4711,
      destinationAddress: '198.51.100.1',
      destinationPort: 443,
      tlvs: [],
    })
  })

  test('of TCP6 and of UNKNOWN with anything behind it is read', () => {
    const six = header(textBytes('PROXY TCP6 2001:db8::7 ::1 1 65535\r\n'))
    expect([six.family, six.sourceAddress, six.destinationPort]).toEqual([
      'ipv6',
      '2001:db8::7',
      65535,
    ])
    expect(header(textBytes('PROXY UNKNOWN\r\n')).family).toBe('unknown')
    const longest = 'PROXY UNKNOWN ' + 'f'.repeat(107 - 16) + '\r\n'
    expect(header(textBytes(longest)).bytes).toBe(107)
  })

  test.each([
    ['a line of 108 bytes', 'PROXY UNKNOWN ' + 'f'.repeat(108 - 16) + '\r\n'],
    ['107 bytes without an end', 'PROXY TCP4 ' + '1'.repeat(96)],
    ['CR without LF', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\r'],
    ['LF alone', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n'],
    ['two spaces', 'PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n'],
    ['a space at the end', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n'],
    ['a family nobody knows', 'PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n'],
    ['IPv6 in TCP4', 'PROXY TCP4 ::1 ::1 1 2\r\n'],
    ['IPv4 in TCP6', 'PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n'],
    ['an address with leading zeros', 'PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n'],
    ['an address with a zone', 'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n'],
    ['a port above 65535', 'PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n'],
    ['a port with a leading zero', 'PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n'],
    ['a port with a sign', 'PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n'],
    ['NUL', 'PROXY TCP4 1.1.1.1\0 2.2.2.2 1 2\r\n'],
    ['too few fields', 'PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n'],
    ['nothing', 'PROXY \r\n'],
  ])('with %s is refused and says why', (_name, line) => {
    expect(reason(textBytes(line))).toMatch(/^v1: /)
  })
})

describe('a v2 header', () => {
  test('tells both ends of IPv4 and leaves what follows', () => {
    const bytes = Uint8Array.from([...v2(1, 0x11, pair4), 22, 3])
    expect(header(bytes)).toMatchObject({
      version: 2,
      bytes: 28,
      family: 'ipv4',
      sourceAddress: '192.0.2.7',
      sourcePort: 0x1267,
      destinationAddress: '198.51.100.1',
      destinationPort: 443,
    })
  })

  test('of IPv6 and of unix sockets is read', () => {
    const six = [0x20, 1, 0xd, 0xb8, ...Array.from({ length: 11 }, () => 0), 7]
    const reading = header(v2(1, 0x21, [...six, ...six, 0, 1, 0, 2]))
    expect([reading.sourceAddress, reading.sourcePort]).toEqual(['2001:db8::7', 1])
    const paths = ['/run/a', '/run/b'].map((text) => text.padEnd(108, '\0')).join('')
    const unix = header(v2(1, 0x31, [...textBytes(paths)]))
    expect([unix.family, unix.sourceAddress, unix.destinationAddress]).toEqual([
      'unix',
      '/run/a',
      '/run/b',
    ])
  })

  test('LOCAL says nothing about ends, whatever its block holds', () => {
    expect(header(v2(0, 0xff, [1, 2, 3]))).toMatchObject({ family: 'unknown', bytes: 19 })
    expect(header(localHeader())).toMatchObject({ family: 'unknown', bytes: 16 })
    expect(header(v2(1, 0x00, []))).toMatchObject({ family: 'unknown', bytes: 16 })
  })

  test('hands over its TLVs as copies, padding left out', () => {
    const tlvs = [1, 0, 2, 104, 50, 4, 0, 3, 0, 0, 0, 2, 0, 1, 97]
    const bytes = v2(1, 0x11, [...pair4, ...tlvs])
    const reading = header(bytes)
    bytes.fill(0)
    expect(reading.tlvs).toEqual([
      { type: 1, value: Uint8Array.of(104, 50) },
      { type: 2, value: Uint8Array.of(97) },
    ])
  })

  test('with a checksum is read when it holds and refused when one bit differs', () => {
    const bytes = proxyHeaderV2({
      sourceAddress: '192.0.2.7',
      sourcePort: 1,
      destinationAddress: '192.0.2.8',
      destinationPort: 2,
    })
    expect(header(bytes).sourceAddress).toBe('192.0.2.7')
    bytes[16] = bytes[16]! ^ 1
    expect(reason(bytes)).toBe('v2: a wrong checksum')
  })

  test.each<[string, Uint8Array]>([
    ['version 1', Uint8Array.from([...SIGNATURE, 0x11, 0x11, 0, 12, ...pair4])],
    ['a command nobody knows', v2(2, 0x11, pair4)],
    ['a family nobody knows', v2(1, 0x41, pair4)],
    ['a protocol nobody knows', v2(1, 0x13, pair4)],
    ['too few bytes for IPv4', v2(1, 0x11, pair4.slice(1))],
    ['too few bytes for IPv6', v2(1, 0x21, pair4)],
    ['a TLV that is cut off', v2(1, 0x11, [...pair4, 1, 0])],
    ['a TLV longer than the header', v2(1, 0x11, [...pair4, 1, 0, 9, 1])],
    ['a checksum of three bytes', v2(1, 0x11, [...pair4, 3, 0, 3, 1, 2, 3])],
    ['a unique id of 129 bytes', v2(1, 0x11, [...pair4, 5, 0, 129, ...Array(129).fill(1)])],
    ['65 TLVs', v2(1, 0x11, [...pair4, ...Array.from({ length: 65 }, () => [9, 0, 0]).flat()])],
    ['more than 4096 bytes', v2(1, 0x11, [...pair4, ...Array(4080).fill(0)])],
  ])('with %s is refused and says why', (_name, bytes) => {
    expect(reason(bytes)).toMatch(/^v2: /)
  })

  test('that promises more than the bound is refused at once, before its bytes are there', () => {
    const bytes = Uint8Array.from([...SIGNATURE, 0x21, 0x11, 0xff, 0xff])
    expect(reason(bytes)).toMatch(/longer than 4096/)
  })
})

describe('what is no header', () => {
  test.each(['GET / HTTP/1.1\r\n', 'PRI * HTTP/2.0\r\n', 'POST /', '\x16\x03\x01', '\r\n\r\nGET'])(
    '%j is told from one',
    (text) => expect(readProxyHeader(textBytes(text))).toBe(NOT_PROXY),
  )
})

describe('the checksum', () => {
  test('of the digits 1 to 9 is the published one', () => {
    expect(crc32c(textBytes('123456789'), 9)).toBe(0xe3069283)
  })
})

function readInPieces(bytes: Uint8Array, cuts: readonly number[]): ProxyReading {
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const reading = readProxyHeader(bytes, Math.min(cut, bytes.length))
    if (reading !== NEED_MORE) return reading
  }
  return readProxyHeader(bytes)
}

const ipv6 = fc.ipV6().filter((text) => !text.includes('.'))
const address = fc.oneof(fc.ipV4(), ipv6)
const port = fc.nat(65_535)
const ends = fc.record({
  sourceAddress: address,
  sourcePort: port,
  destinationAddress: address,
  destinationPort: port,
})
const cuts = fc.array(fc.nat(120), { maxLength: 10 })

describe('any ends and any bytes', () => {
  test('what is written is read as it was meant, in both versions', () => {
    const property = fc.property(ends, fc.constantFrom(1 as const, 2 as const), (of, version) => {
      const reading = header(proxyHeader(version, of))
      expect(reading.version).toBe(version)
      expect([reading.sourcePort, reading.destinationPort]).toEqual([
        of.sourcePort,
        of.destinationPort,
      ])
      // Once more through the writer: the same address may be spelled in many ways.
      expect(proxyHeader(version, reading)).toEqual(proxyHeader(version, of))
    })
    fc.assert(property, { numRuns: 500 })
  })

  test('an end without an IP address makes the header say unknown', () => {
    const unix = { sourceAddress: '', sourcePort: 0, destinationAddress: '::1', destinationPort: 2 }
    expect(proxyHeaderV1(unix)).toBe('PROXY UNKNOWN\r\n')
    expect(header(proxyHeaderV2(unix)).family).toBe('unknown')
  })

  test('mixed families are written as IPv6', () => {
    const mixed = {
      sourceAddress: '192.0.2.7',
      sourcePort: 1,
      destinationAddress: '2001:db8::1',
      destinationPort: 2,
    }
    expect(proxyHeaderV1(mixed)).toBe('PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1 2\r\n')
    expect(header(proxyHeaderV2(mixed)).sourceAddress).toBe('::ffff:192.0.2.7')
  })

  test('a header that is changed somewhere gives the same verdict however it is split', () => {
    const change = fc.record({ at: fc.nat(60), value: fc.nat(255) })
    const version = fc.constantFrom(1 as const, 2 as const)
    const changes = fc.array(change, { maxLength: 3 })
    const property = fc.property(ends, version, changes, cuts, (of, which, list, at) => {
      const bytes = Uint8Array.from([...proxyHeader(which, of), 71, 69, 84])
      for (const { at: i, value } of list) if (i < bytes.length) bytes[i] = value
      expect(readInPieces(bytes, at)).toEqual(readProxyHeader(bytes))
    })
    fc.assert(property, { numRuns: 2000 })
  })

  test('random bytes behind either beginning are read without a throw', () => {
    const property = fc.property(
      fc.constantFrom([...SIGNATURE, 0x21], [...textBytes('PROXY ')]),
      fc.uint8Array({ maxLength: 300 }),
      cuts,
      (start, rest, at) => {
        const bytes = Uint8Array.from([...start, ...rest])
        expect(readInPieces(bytes, at)).toEqual(readProxyHeader(bytes))
      },
    )
    fc.assert(property, { numRuns: 1000 })
  })
})
