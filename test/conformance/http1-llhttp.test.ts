// test/conformance/http1-llhttp.test.ts: llhttp's own cases through core/h1, both directions.
//
// Strict cases: what llhttp refuses is refused; what it accepts is accepted, or refused for a reason in
// `stricter`. Lenient cases show what a strict parser must refuse: none of what they forgive is forgiven.

import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readStream } from '../fuzz/codec.ts'
import type { Reading } from '../fuzz/codec.ts'

const FILE = new URL('../../../shared/data/http1/llhttp/cases.json', import.meta.url)
const present = existsSync(FILE)

interface Case {
  readonly id: string
  readonly name: string
  readonly parser: 'request' | 'response' | 'url'
  readonly mode: string
  readonly meta?: { skipBody?: boolean }
  readonly inputBase64: string
  readonly error: { readonly name?: string; readonly reason?: string } | null
  readonly messagesComplete: number
}

const cases: Case[] = present
  ? (JSON.parse(readFileSync(FILE, 'utf8')) as { cases: Case[] }).cases
  : []

// Accepted by strict llhttp, refused here: case -> our code and why.
const stricter: Record<string, readonly [code: string, reason: string]> = {
  'request/method:96': ['UPGRADE_WITH_BODY', 'a body of a CONNECT is the tunnel to some readers'],
  'request/content-length:4': ['LENGTH_INVALID', '"003" is octal to some'],
  'request/connection:713': ['UPGRADE_WITH_BODY', 'a body on an upgrade'],
  'request/connection:812': [
    'REQUEST_LINE',
    'Upgrade: HTTP/2.0 is ignored, so what follows is no tunnel',
  ],
  'request/method:458': ['HTTP2_PREFACE', 'PRI is reserved'],
  'request/content-length:33': ['LENGTH_INVALID', '"003" is octal to some'],
  'request/method:135': ['REQUEST_TARGET', '"*" belongs to OPTIONS'],
  'request/method:372': ['REQUEST_LINE', 'ICE is not HTTP'],
  'request/method:400': ['REQUEST_LINE', 'RTSP is not HTTP'],
  'request/method:430': ['REQUEST_LINE', 'RTSP is not HTTP'],
  'request/sample:67': ['HOST_INVALID', '"0.0.0.0=5000" is no host'],
  'request/sample:105': ['HOST_INVALID', '"0.0.0.0=5000" is no host'],
  'request/sample:314': ['REQUEST_VERSION', 'HTTP/0.9'],
  'request/transfer-encoding:186': ['TRAILER_INVALID', 'Vary and Content-Type as trailers'],
  'request/transfer-encoding:751': ['REQUEST_FRAGMENT', 'raw "#"'],
  'request/transfer-encoding:793': ['REQUEST_FRAGMENT', 'raw "#"'],
  'request/uri:165': ['REQUEST_FRAGMENT', 'raw "#"'],
  'request/uri:222': ['REQUEST_TARGET', 'user information in the authority'],
  'response/connection:492': ['UPSTREAM_MALFORMED', 'CR LF between responses'],
  'response/connection:586': ['UPSTREAM_MALFORMED', 'CR LF between responses'],
  'response/connection:293': ['UPSTREAM_MALFORMED', 'a 101 with a length'],
  'response/connection:331': ['UPSTREAM_MALFORMED', 'a 101 with chunks'],
  'response/pipelining:4': ['UPSTREAM_MALFORMED', 'CR LF between responses'],
  'response/sample:40': ['UPSTREAM_MALFORMED', 'RTSP is not HTTP'],
  'response/sample:60': ['UPSTREAM_MALFORMED', 'ICE is not HTTP'],
  'response/sample:645': ['UPSTREAM_MALFORMED', 'HTTP/0.9'],
  'response/sample:695': ['UPSTREAM_MALFORMED', 'CR LF before the response'],
  'response/transfer-encoding:43': ['UPSTREAM_MALFORMED', 'a coding other than chunked'],
  'response/transfer-encoding:74': ['UPSTREAM_MALFORMED', 'two Transfer-Encoding lines'],
  'response/transfer-encoding:110': ['UPSTREAM_MALFORMED', 'a coding other than chunked'],
}

// Refused by strict llhttp, read here without an error: case -> what makes that safe.
const quiet: Record<string, string> = {
  'request/connection:81': 'HTTP/1.0 without keep-alive: the second request is never read',
  'request/invalid:356': 'any token may be a method',
  'request/connection:292': 'bytes behind Connection: close are not read',
  'request/connection:342': 'bytes behind Connection: close are not read',
  'request/content-length:75': 'refused when the head is complete',
  'request/content-length:100': 'refused when the head is complete',
  'request/invalid:66': 'any token may be a method with HTTP/1.0',
  'request/invalid:490': 'refused when the version is complete',
  'response/connection:164': 'bytes behind Connection: close are not read',
  'response/connection:225': 'bytes behind Connection: close are not read',
}

// Lenient cases that ask for nothing Sluice refuses.
const harmless: Record<string, string> = {
  'request/connection:107': 'HTTP/1.0 without keep-alive: the second request is never read',
  'request/connection:392': 'bytes behind Connection: close are not read',
  'response/connection:191': 'bytes behind Connection: close are not read',
  'response/connection:260': 'bytes behind Connection: close are not read',
}

// Cut short by llhttp's harness, which tells its parser that there is no body; here the body is waited for.
const cutShort = new Set(['request/content-length:444'])

// llhttp does not look for Host; without one, every case would be refused for that.
function withHost(input: string): string {
  if (/^host *:/im.test(input)) return input
  return input.replace(/^([A-Z-]+ [^\r\n]* HTTP\/1\.1\r\n)/gm, '$1Host: a\r\n')
}

function readCase(given: Case): Reading {
  const input = Buffer.from(given.inputBase64, 'base64').latin1Slice()
  const ofRequests = given.parser === 'request'
  const bytes = Buffer.from(ofRequests ? withHost(input) : input, 'latin1')
  return readStream(ofRequests, bytes, bytes.length, given.meta?.skipBody === true)
}

function completeIn(reading: Reading): number {
  return reading.messages.filter((message) => message.complete).length
}

const isPause = (given: Case): boolean => (given.error?.name ?? '').startsWith('PAUSED_')
const strict = cases.filter((given) => given.mode === given.parser && given.parser !== 'url')
const lenient = cases.filter((given) => given.mode.includes('-lenient-'))

describe.skipIf(!present)(
  'llhttp cases (skipped: ../shared/data/http1/llhttp/cases.json is absent)',
  () => {
    test.each(strict.filter((given) => given.error !== null && !isPause(given)))(
      '$id is refused as llhttp does: $name',
      (given) => {
        const reading = readCase(given)
        if (given.id in quiet) {
          expect(reading.error).toBe('')
          // Nothing beyond what llhttp accepted has been taken for a message of its own.
          const extra = quiet[given.id]!.startsWith('any token') ? 1 : 0
          expect(completeIn(reading)).toBe(given.messagesComplete + extra)
        } else {
          expect(reading.error).not.toBe('')
          expect(completeIn(reading)).toBeLessThanOrEqual(given.messagesComplete)
        }
      },
    )

    test.each(strict.filter((given) => given.error === null || isPause(given)))(
      '$id is read as llhttp does, or refused for a stated reason: $name',
      (given) => {
        const reading = readCase(given)
        expect(reading.error).toBe(stricter[given.id]?.[0] ?? '')
        if (given.id in stricter || cutShort.has(given.id)) return
        // A body to the end of the connection is complete for us when the connection ends.
        expect(completeIn(reading)).toBeGreaterThanOrEqual(given.messagesComplete)
      },
    )

    test.each(lenient)('$id: what $mode forgives is not forgiven: $name', (given) => {
      const reading = readCase(given)
      if (given.id in harmless || given.error !== null) return
      expect(reading.error).not.toBe('')
    })

    test('every exception in the tables is still needed', () => {
      for (const id of Object.keys(stricter)) {
        const given = cases.find((one) => one.id === id)!
        expect(readCase(given).error, id).toBe(stricter[id]![0])
      }
      const ids = new Set(cases.map((given) => given.id))
      for (const id of Object.keys(quiet)) expect(ids.has(id), id).toBe(true)
      for (const id of Object.keys(harmless)) expect(ids.has(id), id).toBe(true)
    })
  },
)
