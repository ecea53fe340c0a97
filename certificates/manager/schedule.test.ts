import { assert, integer, property } from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalName, refusalOf, wantedOf } from './names.ts'
import { renewAt, renewAtWindow, retryInMs } from './schedule.ts'

const HOUR = 3600_000
const DAY = 24 * HOUR
const START = Date.UTC(2030, 0, 1)

function lifetime(days: number, id = '00000000') {
  return { id, notBefore: START, notAfter: START + days * DAY }
}

test.each([
  [400, 9600, 120],
  [90, 2160, 30],
  [30, 2160, 10],
  [10, 2160, 2],
  [6, 2160, 2],
  [1, 2160, 0.25],
  [90, 720, 10],
  [90, 12, 1 / 72],
])(
  '%d days with certificatesDuration %d are renewed %d days before the end',
  (days, hours, margin) => {
    const left = lifetime(days).notAfter - renewAt(lifetime(days), hours * HOUR)
    expect(left / DAY).toBeCloseTo(margin, 6)
  },
)

test('However short the life, at least half of it passes before a renewal, but for the jitter', () => {
  assert(
    property(
      integer({ min: 10 * 60_000, max: 1000 * DAY }),
      integer({ min: 0, max: 0xffffffff }),
      (length, number) => {
        const id = number.toString(16).padStart(8, '0')
        const at = renewAt({ id, notBefore: START, notAfter: START + length }, 2160 * HOUR)
        expect(at).toBeGreaterThan(START)
        expect(at).toBeLessThan(START + length)
      },
    ),
  )
})

test('Certificates that were issued together are not renewed together, and a restart changes nothing', () => {
  const [one, two, again] = ['00000000', '80000000', '80000000'].map((id) =>
    renewAt(lifetime(90, id), 2160 * HOUR),
  )
  expect(one).not.toBe(two)
  expect(two).toBe(again)
})

test('The window of the authority counts, but never to the last tenth of the life', () => {
  const window = { start: START + 10 * DAY, end: START + 20 * DAY }
  expect(renewAtWindow(lifetime(90, '80000000'), window)).toBe(START + 15 * DAY)
  const late = { start: START + 95 * DAY, end: START + 99 * DAY }
  expect(renewAtWindow(lifetime(90), late)).toBe(START + 81 * DAY)
})

test('Attempts come at 1, 3, 9 ... minutes up to six hours, or when the authority allows', () => {
  const minutes = [1, 2, 3, 4, 5, 6, 7, 100].map((n) => retryInMs(n, 0, 0.5) / 60_000)
  expect(minutes.map(Math.round)).toEqual([1, 3, 9, 27, 81, 243, 360, 360])
  expect(retryInMs(1, 10 * HOUR, 0.5)).toBe(10 * HOUR)
  expect(retryInMs(1, 400 * DAY, 0.5)).toBe(7 * DAY)
  expect(retryInMs(3, 0, 0)).toBeLessThan(retryInMs(3, 0, 1))
})

function wish(by: string, ...names: string[]) {
  return { resolver: 'le', names, by }
}

test('Two routers that wish the same names share one certificate', () => {
  const wanted = wantedOf(
    [wish('one', 'A.example.org', 'b.org'), wish('two', 'b.org', 'a.example.org.')],
    [],
  )
  expect(wanted).toMatchObject([{ names: ['a.example.org', 'b.org'], by: ['one', 'two'] }])
})

test('A wildcard and a longer list cover what others wish of the same resolver', () => {
  const all = [
    wish('one', 'a.example.org'),
    wish('two', '*.example.org'),
    wish('three', 'x.a.example.org'),
  ]
  const names = wantedOf(all, []).map((one) => one.names.join())
  expect(names.toSorted()).toEqual(['*.example.org', 'x.a.example.org'])
  const other = { ...wish('four', 'a.example.org'), resolver: 'zero' }
  expect(wantedOf([...all, other], [])).toHaveLength(3)
})

test('A wildcard that the resolver can not get covers nobody', () => {
  const all = [wish('one', 'a.example.org'), wish('two', '*.example.org')]
  const wanted = wantedOf(all, [], ({ names }) => refusalOf(names, false) === '')
  expect(wanted).toHaveLength(2)
})

test('What the files of the operator cover is left out, name by name', () => {
  const configured = [['a.example.org'], ['*.b.org']]
  expect(wantedOf([wish('one', 'a.example.org', 'x.b.org')], configured)).toEqual([])
  const [left] = wantedOf([wish('one', 'a.example.org', 'b.org')], configured)
  expect(left?.names).toEqual(['b.org'])
})

test('Names are compared in ASCII and lower case; what is no name is none', () => {
  expect(canonicalName('BÜCHER.example.')).toBe('xn--bcher-kva.example')
  expect(canonicalName('*.Example.org')).toBe('*.example.org')
  expect(canonicalName('a.*.example.org')).toBe('')
  expect(canonicalName('192.0.2.1')).toBe('192.0.2.1')
  expect(canonicalName(' ')).toBe('')
})

test('Names that no authority would take are refused with the reason', () => {
  expect(refusalOf(['a.example.org', '192.0.2.1'], false)).toBe('')
  expect(refusalOf(['*.example.org'], true)).toBe('')
  expect(refusalOf(['*.example.org'], false)).toContain('dnsChallenge')
  expect(refusalOf(['localhost'], true)).toContain('no name of a public host')
  expect(refusalOf(['a..org'], true)).toContain('no name of a public host')
  expect(
    refusalOf(
      Array.from({ length: 101 }, (_, i) => `n${i}.org`),
      true,
    ),
  ).toContain('100')
})

test('Ten thousand routers are looked through in a moment', () => {
  const wishes = Array.from({ length: 10_000 }, (_, i) =>
    wish(`r${i}`, `h${i}.example.org`, `h${i}.org`),
  )
  const files = Array.from({ length: 10_000 }, (_, i) => [`h${i}.org`])
  const started = performance.now()
  const wanted = wantedOf(wishes, files)
  expect(wanted).toHaveLength(10_000)
  expect(wanted[0]!.names).toHaveLength(1)
  expect(performance.now() - started).toBeLessThan(10_000) // as lists: minutes
})
