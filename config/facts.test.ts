// What the install configuration means for routes, and that middlewares take the options that plans carry.

import { expect, test } from 'vitest'
import type { AddPrefixOptions } from '../core/middleware/http/add-prefix.ts'
import type { EncodedCharactersOptions } from '../core/middleware/http/encoded-characters.ts'
import type { ErrorsOptions } from '../core/middleware/http/errors.ts'
import type { GrpcWebOptions } from '../core/middleware/http/grpc-web.ts'
import type { HeadersOptions } from '../core/middleware/http/headers.ts'
import type { InFlightReqOptions } from '../core/middleware/http/in-flight-req.ts'
import type { IpAllowListOptions } from '../core/middleware/http/ip-allow-list.ts'
import type { PassTlsClientCertOptions } from '../core/middleware/http/pass-tls-client-cert.ts'
import type { RedirectRegexOptions } from '../core/middleware/http/redirect-regex.ts'
import type { RedirectSchemeOptions } from '../core/middleware/http/redirect-scheme.ts'
import type {
  ReplacePathOptions,
  ReplacePathRegexOptions,
} from '../core/middleware/http/replace-path.ts'
import type {
  StripPrefixOptions,
  StripPrefixRegexOptions,
} from '../core/middleware/http/strip-prefix.ts'
import type { MiddlewareOptions } from './dynamic.ts'
import { factsOf } from './facts.ts'
import { parseLocated } from './located.ts'
import { checkShape } from './schema.ts'
import { staticSchema, type StaticConfig } from './static.ts'

// Checked by the compiler: each kind's options are what its middleware takes.
interface Taken {
  addPrefix: AddPrefixOptions
  encodedCharacters: EncodedCharactersOptions
  errors: ErrorsOptions
  grpcWeb: GrpcWebOptions
  headers: HeadersOptions
  inFlightReq: InFlightReqOptions
  ipAllowList: IpAllowListOptions
  passTLSClientCert: PassTlsClientCertOptions
  redirectRegex: RedirectRegexOptions
  redirectScheme: RedirectSchemeOptions
  replacePath: ReplacePathOptions
  replacePathRegex: ReplacePathRegexOptions
  stripPrefix: StripPrefixOptions
  stripPrefixRegex: StripPrefixRegexOptions
}
type Misfits = {
  [Kind in keyof Taken]: MiddlewareOptions<Kind> extends Taken[Kind] ? never : Kind
}[keyof Taken]
const misfits: Misfits[] = []

function factsFor(text: string): ReturnType<typeof factsOf> {
  const { value, problems } = checkShape(staticSchema, parseLocated(text, 's.yml'))
  if (value === null) throw new Error(JSON.stringify(problems))
  return factsOf({ ...value, workers: 1 } as StaticConfig)
}

test('Every built middleware takes the options that its plan carries', () => {
  expect(misfits).toEqual([])
})

test('Routers without entry points go everywhere but to the API, unless some are flagged', () => {
  const defaults = (text: string): string[] =>
    factsFor(text)
      .entryPoints.filter((at) => at.takesDefault)
      .map((at) => at.name)
  const points = 'entryPoints:\n  web: {address: ":80"}\n  admin: {address: ":8080"}\n'
  expect(defaults(points)).toEqual(['web', 'admin'])
  expect(defaults(`${points}api: {insecure: true, entryPoint: admin}\n`)).toEqual(['web'])
  expect(defaults(`${points}  more: {address: ":81", asDefault: true}\n`)).toEqual(['more'])
  expect(defaults(`${points}  traefik: {address: ":82"}\n  dns: {address: ":53/udp"}\n`)).toEqual([
    'web',
    'admin',
  ])
})

test('Internal routers and services exist when their feature is on', () => {
  expect(factsFor('{}').internalRouters).toEqual([])
  const facts = factsFor(
    'api: {insecure: true}\nping: {}\nmetrics: {prometheus: {manualRouting: true}}\n',
  )
  expect(facts.internalRouters.map(({ name, rule }) => `${name} ${rule}`)).toEqual([
    'api@internal PathPrefix(`/api`)',
    'dashboard@internal PathPrefix(`/dashboard`)',
    'ping@internal PathPrefix(`/ping`)',
    'ready@internal PathPrefix(`/ready`)',
  ])
  expect(facts.internalServices).toContain('prometheus@internal')
  expect(factsFor('{}').internalServices).toEqual(['noop@internal', 'whoami@internal'])
})

test('The default transport takes the times of the install configuration', () => {
  const text = 'serversTransport: {maxIdleConnsPerHost: 7, forwardingTimeouts: {dialTimeout: 3s}}\n'
  expect(factsFor(text).defaultTransport).toMatchObject({
    name: '',
    maxIdleConnsPerHost: 7,
    dialTimeoutMs: 3000,
    idleConnTimeoutMs: 90_000,
    coalesce: null,
  })
})
