// test/conformance/http1-desync.test.ts: the cases of http-desync-guardian through the request parser.
//
// Severe and ambiguous heads are refused. Compliant and acceptable ones are read, or refused for a reason in
// `stricter`. Cases are heads, not bytes: each is written out with CR LF, once as UTF-8 and once as latin1.

import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { load } from 'js-yaml'
import { describe, expect, test } from 'vitest'
import { readStream } from '../fuzz/codec.ts'

const FOLDER = new URL('../../../shared/data/http1/http-desync-guardian/', import.meta.url)
const present = existsSync(FOLDER)

interface Case {
  readonly file: string
  readonly name: string
  readonly uri: string
  readonly method: string
  readonly version: string
  readonly headers?: readonly { readonly name: string; readonly value: string }[]
  readonly expected: { readonly tier: string; readonly reason: string }
}

function readFolder(): Case[] {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'))
  return files.flatMap((file) => {
    const text = readFileSync(new URL(file, FOLDER), 'utf8')
    return ((load(text) ?? []) as Case[]).map((given) => ({ ...given, file }))
  })
}

const cases = present ? readFolder() : []

function textOf(given: Case): string {
  let text = `${given.method} ${given.uri}${given.version === '' ? '' : ' ' + given.version}\r\n`
  const headers = given.headers ?? []
  // The guardian does not ask for Host; without one, everything would be refused for that.
  if (!headers.some((header) => header.name.toLowerCase() === 'host')) text += 'Host: a\r\n'
  for (const header of headers) text += `${header.name}: ${header.value}\r\n`
  return text + '\r\n'
}

// Compliant or acceptable for the guardian, refused here: our code -> why.
const stricter: Record<string, string> = {
  HEADER_NAME: 'a space or control byte in a header name is dropped by some and kept by others',
  HEADER_VALUE: 'control bytes in a value',
  REQUEST_VERSION: 'HTTP/0.9 and 1.2',
  REQUEST_LINE: 'spaces inside the target or behind the version',
  REQUEST_TARGET: 'raw non-ASCII in the target, an empty target',
  REQUEST_FRAGMENT: 'raw "#" in the target',
  TRANSFER_ENCODING: 'any coding but one "chunked": RFC 9112 section 6.1 lets a server answer 501',
}

// Ambiguous for the guardian, read here: what is sent on can be read in one way only.
const normalised: Record<string, string> = {
  'Get with a body and Content-Length': 'framing is made anew; the length is the one counted',
  'Get with a body and Transfer-Encoding': 'framing is made anew; the body is chunked by us',
  'Head with a body and Content-Length': 'framing is made anew; the length is the one counted',
  'Head with a body and Transfer-Encoding': 'framing is made anew; the body is chunked by us',
  'Has a CL in GET': 'framing is made anew; the length is the one counted',
  'Has a TE in GET': 'framing is made anew; the body is chunked by us',
  'Transfer-Encoding with multiple hyphens': 'an unknown name: "--" is "-" to no server',
}

describe.skipIf(!present)(
  'desync cases (skipped: ../shared/data/http1/http-desync-guardian is absent)',
  () => {
    const isDangerous = (given: Case): boolean =>
      given.expected.tier === 'Severe' || given.expected.tier === 'Ambiguous'

    test.each(cases.filter(isDangerous))(
      '$file: refused or normalised ($expected.tier): $name',
      (given) => {
        const text = textOf(given)
        for (const encoding of ['utf8', 'latin1'] as const) {
          if (encoding === 'latin1' && /[^\0-\xff]/.test(text)) continue
          const reading = readStream(true, Buffer.from(text, encoding))
          if (given.name in normalised) {
            expect(given.expected.tier).toBe('Ambiguous')
            expect([reading.error, reading.messages.length]).toEqual(['', 1])
            continue
          }
          expect(reading.error).not.toBe('')
          expect(reading.messages).toEqual([])
        }
      },
    )

    test.each(cases.filter((given) => !isDangerous(given)))(
      '$file: read, or stricter: $name',
      (given) => {
        const reading = readStream(true, Buffer.from(textOf(given), 'utf8'))
        if (reading.error !== '') expect(Object.keys(stricter)).toContain(reading.error)
        else expect(reading.messages.length).toBe(1)
      },
    )

    test('most compliant heads are read', () => {
      const compliant = cases.filter((given) => given.expected.tier === 'Compliant')
      const read = compliant.filter(
        (given) => readStream(true, Buffer.from(textOf(given))).error === '',
      )
      expect(read.length).toBeGreaterThanOrEqual(compliant.length * 0.6)
    })
  },
)
