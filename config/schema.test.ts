import { expect, test } from 'vitest'
import { z } from 'zod'
import { formatProblem, parseLocated } from './located.ts'
import {
  bytes,
  checkShape,
  duration,
  meta,
  nearestKey,
  notYetProblem,
  parseDuration,
  port,
  signedDuration,
} from './schema.ts'

const server = z.object({
  address: z.string().min(1),
  timeout: duration.default(10_000),
  limit: bytes.optional(),
  retries: z.int().min(0).max(9).default(2),
  level: z.enum(['DEBUG', 'ERROR']).default('ERROR'),
  secure: z.boolean().default(false),
  names: z.array(z.string()).default([]),
  labels: z.record(z.string(), z.string()).default({}),
  ping: meta(z.object({ port: port.default(80) }), { allowEmpty: true }).optional(),
  password: meta(z.int(), { secret: true }).optional(),
  tracing: meta(z.object({ rate: z.number().optional() }), { status: 'not yet' }).optional(),
})
const root = z.object({ servers: z.record(z.string(), server).default({}) })

function check(text: string, file = 'a.yml') {
  return checkShape(root, parseLocated(text, file))
}

function complaints(text: string, file = 'a.yml'): string[] {
  return check(text, file).problems.map(formatProblem)
}

test('Keys match whatever their case, user-named keys keep theirs, and defaults are filled', () => {
  const { value, problems } = check('SERVERS:\n  Web:\n    Address: ":80"\n    PING: {}\n')
  expect(problems).toEqual([])
  expect(value?.servers['Web']).toEqual({
    address: ':80',
    timeout: 10_000,
    retries: 2,
    level: 'ERROR',
    secure: false,
    names: [],
    labels: {},
    ping: { port: 80 },
  })
})

test('Scalars are converted to the type that the schema wants', () => {
  const { value } = check(
    'servers:\n  a:\n    address: 80\n    timeout: "5"\n    limit: 64KiB\n    retries: "3"\n' +
      '    level: debug\n    secure: "true"\n    names: a, b\n    ping: true\n    labels: {n: 1}\n',
  )
  expect(value?.servers['a']).toMatchObject({
    address: '80',
    timeout: 5000,
    limit: 65_536,
    retries: 3,
    level: 'DEBUG',
    secure: true,
    names: ['a', 'b'],
    ping: { port: 80 },
    labels: { n: '1' },
  })
})

test.each([
  ['timeout: true', '4:5: servers.a.timeout: expected a duration such as 10s, got true'],
  ['timeout: -1s', '4:5: servers.a.timeout: expected a duration such as 10s, got "-1s"'],
  [
    'limit: 1.5',
    '4:5: servers.a.limit: expected a number of bytes such as 65536 or 64KiB, got 1.5',
  ],
  ['retries: many', '4:5: servers.a.retries: expected a number, got "many"'],
  ['retries: 10', '4:5: servers.a.retries: must be at most 9'],
  ['retries: 1.5', '4:5: servers.a.retries: expected a whole number'],
  [
    'level: eror',
    '4:5: servers.a.level: expected one of DEBUG, ERROR, got "eror" (did you mean "ERROR"?)',
  ],
  ['secure: yes', '4:5: servers.a.secure: expected true or false, got "yes"'],
  ['names: {a: 1}', '4:5: servers.a.names: expected a list, got a map'],
  ['labels: [a]', '4:5: servers.a.labels: expected a map, got a list'],
  ['labels: {k: [1]}', '4:14: servers.a.labels.k: expected a string, got a list'],
  ['ping: maybe', '4:5: servers.a.ping: expected true, false or a map, got "maybe"'],
  ['ping: {prot: 1}', '4:12: unknown key "prot" in servers.a.ping (did you mean "port"?)'],
  ['ping: {port: 70000}', '4:12: servers.a.ping.port: must be at most 65535'],
  ['ping:', '4:5: servers.a.ping has no value and is ignored; {} enables it'],
  ['adress: x', '4:5: unknown key "adress" in servers.a (did you mean "address"?)'],
  ['Address: x', '4:5: servers.a.Address is given twice'],
  ['password: hunter2', '4:5: servers.a.password: expected a number, got something else'],
])('%s is reported where it stands', (line, wanted) => {
  expect(complaints(`servers:\n  a:\n    address: b\n    ${line}\n`)).toEqual([`a.yml:${wanted}`])
})

test('A required key that is missing is reported at its parent', () => {
  expect(complaints('\nservers:\n  a: {}\n')).toEqual(['a.yml:3:3: servers.a.address is required'])
  expect(complaints('\n[servers.a]\n', 'a.toml')).toEqual([
    'a.toml:2:1: servers.a.address is required',
  ])
})

test('All problems are reported together, each key once', () => {
  expect(complaints('servers:\n  a:\n    address: [1]\n    secure: 2\n  b: 1\nx: 1\n')).toEqual([
    'a.yml:3:5: servers.a.address: expected a string, got a list',
    'a.yml:4:5: servers.a.secure: expected true or false, got 2',
    'a.yml:5:3: servers.b: expected a map, got 1',
    'a.yml:6:1: unknown key "x"',
  ])
})

test('A document that is no map is refused', () => {
  expect(complaints('- a')).toEqual(['a.yml:1:1: the document: expected a map, got a list'])
})

test('Keys that have no effect yet are accepted and named in one warning', () => {
  const checked = check(
    'servers:\n  a: {address: b, Tracing: {rate: 1}}\n  b: {address: b, tracing: {}}\n',
  )
  expect(checked.value?.servers['a']?.tracing).toEqual({ rate: 1 })
  expect(checked.notYet).toEqual(['servers.a.tracing', 'servers.b.tracing'])
  expect(formatProblem(notYetProblem(checked.notYet, 'a.yml')!)).toBe(
    'a.yml: accepted, but without effect in this version: servers.a.tracing, servers.b.tracing',
  )
  expect(notYetProblem([], 'a.yml')).toBeNull()
})

test('A part of a document is checked by its path, with positions of the whole', () => {
  const doc = parseLocated('servers:\n  a: {address: x}\n  b: {adress: y}\n', 'a.yml')
  expect(checkShape(server, doc, ['servers', 'a']).value?.address).toBe('x')
  const checked = checkShape(server, doc, ['servers', 'b'])
  expect(checked.value).toBeNull()
  expect(checked.problems.map(formatProblem)).toEqual([
    'a.yml:3:7: unknown key "adress" in servers.b (did you mean "address"?)',
    'a.yml:3:3: servers.b.address is required',
  ])
})

test('A union takes the option that fits, and reports the nearest one otherwise', () => {
  const schema = z.object({ u: z.union([z.string(), z.object({ file: z.string() })]) })
  const checkU = (text: string) => checkShape(schema, parseLocated(text, 'u.yml'))
  expect(checkU('u: a').value).toEqual({ u: 'a' })
  expect(checkU('u: {FILE: a}').value).toEqual({ u: { file: 'a' } })
  expect(checkU('u: {fil: a}').problems[0]?.suggestion).toBe('file')
  expect(checkU('u: [a]').problems[0]?.message).toBe('u: expected a string or a map, got a list')
})

test('A schema that contains itself can be walked', () => {
  interface Tree {
    child?: Tree | undefined
  }
  const tree: z.ZodType<Tree> = z.lazy(() => z.object({ child: tree.optional() }))
  expect(checkShape(tree, parseLocated('child: {Child: {}}', 'a.yml')).value).toEqual({
    child: { child: {} },
  })
})

test('A flood of problems is bounded', () => {
  const text = Array.from({ length: 5000 }, (_, at) => `k${at}: 1`).join('\n')
  expect(check(text).problems).toHaveLength(1000)
})

test.each([
  ['1h2m3.5s', 3_723_500],
  ['500ms', 500],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['10', 10_000],
  [10, 10_000],
  [0, 0],
  ['-1s', -1000],
  ['250us', 0.25],
  ['250\u00b5s', 0.25],
  ['1m 2s', null],
  ['1 s', null],
  ['s', null],
  ['', null],
  ['1d', null],
  [1.5, null],
  [true, null],
  ['9'.repeat(65), null],
])('The duration %j is %j milliseconds', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test('Only the signed duration takes negative values, and none takes more than Go does', () => {
  expect(signedDuration.parse('-1ms')).toBe(-1)
  expect(duration.safeParse('-1ms').success).toBe(false)
  expect(duration.safeParse('3000000h').success).toBe(false)
})

test.each([
  ['adress', 'address'],
  ['ADRESS', 'address'],
  ['timeot', 'timeout'],
  ['wbe', 'web'],
  ['zzzzzz', ''],
  ['a'.repeat(101), ''],
])('The nearest key to %s is "%s"', (unknown, wanted) => {
  expect(nearestKey(unknown, ['address', 'timeout', 'web'])).toBe(wanted)
})
