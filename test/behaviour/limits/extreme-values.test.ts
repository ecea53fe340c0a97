// What compiles can be built by a worker: every key of every middleware and service at its extremes. One that throws
// there would refuse the whole generation.

import { expect, test, vi } from 'vitest'
import { middlewareSchema } from '../../../config/dynamic/middlewares.ts'
import { serviceSchema } from '../../../config/dynamic/services.ts'
import { emptyGeneration } from '../../../config/generation.ts'
import { type Shape, shapeOf } from '../../../config/shape.ts'
import { StoreLink } from '../../../workers/store/link.ts'
import { builderOf, generationOf, newContext } from '../../support/live.ts'

type Path = readonly string[]
type Value = Readonly<Record<string, unknown>>
type Mutant = { readonly of: 'middlewares' | 'services'; readonly value: Value }

const AT_ONCE = 200 // objects in a generation

const texts =
  `/ /a /%zz é a\\b * ( (?P<a>x) (a+)+$ 10.0.0.0/8 ::1/0 999 0 -1 200-100 500-599 __proto__ constructor
  http://[::1] http://a:0 http://a:99999 http://u:p@h unix:///x % $1 \${a} $99999999999999 X-A Host Connection
  Content-Length user:{SHA}x a:b a: : text/html */* Attempts()<2 NetworkErrorRatio()>0.5 jwtClaim. header.X cookie. ip
  other@file other noop@internal`.split(/\s+/)
const strings = ['', ' ', '\0', 'a\r\nb', '\ud800', '\u{1f600}', 'a'.repeat(5000), ...texts]
const numbers = [0, -1, 1, 2, 0.5, 100, 65_536, 2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 53), 1e308]
const words = ['', 'x', '0', '1ns', '-1ns', '0.4ms', '2562047h', '9007199254740991', '1Gi', '0B']

function valuesOf(shape: Shape): unknown[] {
  const { kind, element, options, names } = shape
  if (kind === 'string') return strings
  if (kind === 'number') return numbers
  if (kind === 'boolean') return [true, false]
  if (kind === 'enum') return [...names]
  if (kind === 'union') return options.flatMap(valuesOf)
  if (kind === 'array') return [[], ...membersOf(element!).flatMap((one) => [[one], [one, one]])]
  if (kind === 'record') return [{}, ...membersOf(element!).flatMap(mapsOf)]
  return [...numbers, ...words, true, {}]
}

function membersOf(element: Shape): unknown[] {
  if (element.kind !== 'object') return valuesOf(element)
  return leavesOf(element).flatMap(([path, leaf]) => valuesOf(leaf).map((v) => placed({}, path, v)))
}

const mapsOf = (value: unknown): Value[] => [{ 'X-A': value }, { 500: value }, { é: value, '': '' }]

function leavesOf(shape: Shape, path: Path = []): [Path, Shape][] {
  if (shape.kind !== 'object') return [[path, shape]]
  return [...shape.keys!.values()].flatMap(({ name, shape: inner }) =>
    leavesOf(inner, [...path, name]),
  )
}

function placed(into: unknown, [first, ...rest]: Path, value: unknown): unknown {
  if (first === undefined) return value
  const before = (typeof into === 'object' ? into : null) as Value | null
  return { ...before, [first]: placed(before?.[first], rest, value) }
}

// What each kind needs to be one at all; another has enough with {}.
const least: Value = {
  addPrefix: { prefix: '/a' },
  stripPrefix: { prefixes: ['/a'] },
  replacePath: { path: '/a' },
  replacePathRegex: { regex: 'a' },
  ipAllowList: { sourceRange: ['::/0'] },
  ipWhiteList: { sourceRange: ['::/0'] },
  errors: { status: ['500'], service: 'other' },
  redirectRegex: { regex: 'a', replacement: 'b' },
  redirectScheme: { scheme: 'https' },
  mirror: { service: 'other' },
  bodyRewrite: { replacements: [{ literal: 'a' }] },
  rateLimit: { average: 1 },
  distributedRateLimit: { limit: 1, store: { redis: {} } },
  quota: { limit: 1 },
  inFlightReq: { amount: 1 },
  retry: { attempts: 2 },
  timeout: { total: '1s' },
  circuitBreaker: { expression: 'NetworkErrorRatio() > 0.5' },
  basicAuth: { users: ['a:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M='] },
  digestAuth: { users: ['a:traefik:5f4dcc3b5aa765d61d8327deb882cf99'] },
  forwardAuth: { address: 'http://a' },
  requestRedirect: { scheme: 'https' },
  queryParam: { set: [{ name: 'a' }] },
  forceCase: { headers: ['X-A'] },
  requestSize: { maxBytes: 1 },
  loadBalancer: { servers: [{ url: 'http://127.0.0.1:1' }, { url: 'http://127.0.0.1:2' }] },
  weighted: { services: [{ name: 'other' }, { name: 'another' }] },
  highestRandomWeight: { services: [{ name: 'other' }, { name: 'another' }] },
  mirroring: { service: 'other', mirrors: [{ name: 'another', percent: 10 }] },
  failover: { service: 'other', fallback: 'another' },
}

function mutantsOf(of: Mutant['of'], shape: Shape): Mutant[] {
  return [...shape.keys!.values()]
    .filter(({ name }) => name !== 'plugin' && name !== 'middlewares')
    .flatMap(({ name, shape: kind }) =>
      leavesOf(kind).flatMap(([path, leaf]) =>
        valuesOf(leaf).map((v) => ({ of, value: { [name]: placed(least[name], path, v) } })),
      ),
    )
}

function routesOf(mutants: readonly Mutant[]): Value {
  const plain = { loadBalancer: { servers: [{ url: 'http://127.0.0.1:1' }] } }
  const services: Record<string, unknown> = { other: plain, another: plain }
  const middlewares: Record<string, unknown> = { other: { addPrefix: { prefix: '/x' } } }
  const routers = mutants.map(({ of, value }, i) => {
    const name = `m${i}`
    const isService = of === 'services'
    if (isService) services[name] = value
    else middlewares[name] = value
    const leads = isService ? { service: name } : { service: 'other', middlewares: [name, name] }
    return [name, { rule: `Path(\`/${i}\`)`, entryPoints: ['web'], ...leads }]
  })
  return { http: { routers: Object.fromEntries(routers), services, middlewares } }
}

// Hundreds of Redis that are not there would be dialled for as long as this process lives.
vi.spyOn(StoreLink.prototype, 'open').mockImplementation(() => {})
const context = newContext()

// How many of them were not refused by the compiler.
function built(mutants: readonly Mutant[]): number {
  const generation = generationOf(routesOf(mutants), 1)
  const builder = builderOf(context, emptyGeneration(), structuredClone(generation))
  while (!builder.finishStep(100_000)) continue
  builder.discard()
  return generation.routers.size
}

function refusedBy(mutant: Mutant): string[] {
  try {
    built([mutant])
    return []
  } catch (fault) {
    return [`${JSON.stringify(mutant.value).slice(0, 300)}: ${(fault as Error).stack}`]
  }
}

test.each([
  ['middlewares', shapeOf(middlewareSchema)],
  ['services', shapeOf(serviceSchema)],
] as const)(
  '%s that compile can be built, whatever their values',
  (of, shape) => {
    const mutants = mutantsOf(of, shape)
    let count = 0
    for (let from = 0; from < mutants.length; from += AT_ONCE) {
      const some = mutants.slice(from, from + AT_ONCE)
      try {
        count += built(some)
      } catch {
        expect(some.flatMap(refusedBy)).toEqual([])
        throw new Error('only together they can not be built')
      }
    }
    expect(count).toBeGreaterThan(mutants.length / 10)
  },
  300_000,
)
