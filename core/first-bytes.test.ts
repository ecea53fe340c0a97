import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type FirstBytes,
  H2_PREFACE,
  HTTP1,
  NEED_MORE,
  OTHER,
  POSTGRES_GSS,
  POSTGRES_SSL,
  PROXY_V1,
  PROXY_V2,
  TELL_BYTES_MAX,
  TLS,
  tellFirstBytes,
} from './first-bytes.ts'

function textBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0))
}

const cases: [string, FirstBytes][] = [
  ['\x16\x03\x01\x02\x00', TLS],
  ['PROXY TCP4 1.1.1.1', PROXY_V1],
  ['\r\n\r\n\0\r\nQUIT\n\x21', PROXY_V2],
  ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', H2_PREFACE],
  ['\0\0\0\x08\x04\xd2\x16\x2f', POSTGRES_SSL],
  ['\0\0\0\x08\x04\xd2\x16\x30', POSTGRES_GSS],
  ['GET / HTTP/1.1\r\n', HTTP1],
  ['POST /a HTTP/1.1\r\n', HTTP1],
  ['PUT /a HTTP/1.1\r\n', HTTP1],
  ['PROPFIND /a HTTP/1.1\r\n', HTTP1],
  ['PRI /a HTTP/1.1\r\n', HTTP1],
  ['OPTIONS * HTTP/1.1\r\n', HTTP1],
  ['VERSION-CONTROL /a HTTP/1.1', HTTP1],
  ['CONNECT example.org:443 HTTP/1.1', HTTP1],
  ['GET HTTP://example.org/ HTTP/1.1', HTTP1],
  ['PRI * HTTP/2.1', HTTP1], // a request line that no reader accepts; HTTP answers it
  ['get / HTTP/1.1', OTHER],
  ['EHLO mail.example.org\r\n', OTHER],
  ['SSH-2.0-OpenSSH_9.2 x', OTHER],
  ['\x16\x02\x00', OTHER],
  ['\x80\x2e\x01', OTHER],
  ['\0\0\0\x08\x04\xd2\x16\x31', OTHER],
  [' GET / HTTP/1.1', OTHER],
  ['A'.repeat(25), OTHER],
  ['\r\nGET / HTTP/1.1', OTHER],
]

describe('the first bytes', () => {
  test.each(cases)('of %j are told', (start, kind) => {
    expect(tellFirstBytes(textBytes(start))).toBe(kind)
  })

  test('that come one at a time lead to the same verdict, and to none before it is sure', () => {
    for (const [start, kind] of cases) {
      const bytes = textBytes(start + ' and more that follows')
      let length = 0
      while (tellFirstBytes(bytes, length) === NEED_MORE) length++
      expect([start, tellFirstBytes(bytes, length)]).toEqual([start, kind])
    }
  })

  test('of any connection are told within the bound, the same for any split', () => {
    const starts = fc.constantFrom('', ...cases.map(([start]) => start))
    const property = fc.property(
      starts,
      fc.nat(20),
      fc.uint8Array({ minLength: TELL_BYTES_MAX, maxLength: 64 }),
      (start, keep, rest) => {
        const bytes = Uint8Array.from([...textBytes(start.slice(0, keep)), ...rest])
        const whole = tellFirstBytes(bytes)
        expect(whole).not.toBe(NEED_MORE)
        expect(tellFirstBytes(bytes, TELL_BYTES_MAX)).toBe(whole)
        for (let length = 0; length < bytes.length; length++) {
          const verdict = tellFirstBytes(bytes, length)
          if (verdict !== NEED_MORE) expect(verdict).toBe(whole)
        }
      },
    )
    fc.assert(property, { numRuns: 1000 })
  })
})
