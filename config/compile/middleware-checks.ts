// config/compile/middleware-checks.ts: the closer look at middleware options, beyond their types.
//
// What passes here never fails when a worker builds the middleware. Hot: no.

import { parseCidr } from '../../core/address.ts'
import { compileRegex } from '../../core/regex.ts'
import type { BuiltKind, MiddlewareOptions } from '../dynamic/middlewares.ts'
import type { Path } from '../problem.ts'

export interface Fault {
  readonly key: Path // within the object
  readonly message: string
}

type Check<Kind extends BuiltKind> = (options: MiddlewareOptions<Kind>) => Fault[]
type Checks = { readonly [Kind in BuiltKind]?: Check<Kind> }

function failing(
  key: string,
  values: readonly string[],
  check: (value: string) => string,
): Fault[] {
  const faults: Fault[] = []
  values.forEach((value, at) => {
    const message = check(value)
    if (message !== '') faults.push({ key: [key, at], message: `${key}: ${message}` })
  })
  return faults
}

const one = (key: string, value: string, check: (value: string) => string): Fault[] =>
  failing(key, [value], check).map((fault) => ({ ...fault, key: [key] }))

function quoted(value: string): string {
  return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}...` : value)
}

const wantPath = (value: string): string =>
  value.startsWith('/') ? hasControls(value) : `${quoted(value)} must begin with "/"`

const wantRange = (value: string): string =>
  parseCidr(value) === null ? `${quoted(value)} is not an address or CIDR` : ''

export function wantRegex(source: string): string {
  try {
    compileRegex(source)
    return ''
  } catch (error) {
    return `${quoted(source)}: ${(error as Error).message}`
  }
}

// The value may be a secret and stays out of the message.
const hasControls = (value: string): string =>
  // oxlint-disable-next-line no-control-regex -- these are what must not get into a head
  /[\0-\x08\x0a-\x1f\x7f]/.test(value) ? 'the value holds a control character' : ''

const wantName = (name: string): string =>
  /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) ? '' : `${quoted(name)} is not a header name`

function headerMap(key: string, headers: Readonly<Record<string, string>>): Fault[] {
  return Object.entries(headers).flatMap(([name, value]) => {
    const message = wantName(name) || hasControls(value)
    return message === '' ? [] : [{ key: [key, name], message: `${key}: ${message}` }]
  })
}

export const wantStatus = (text: string): string => {
  const match = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(text)
  const isRange = match !== null && Number(match[2] ?? match[1]) >= Number(match[1])
  return isRange ? '' : `${quoted(text)} is not a status such as 404 or 500-599`
}

function addressRanges(options: {
  sourceRange: readonly string[]
  ipStrategy: { excludedIPs: readonly string[] } | null
}): Fault[] {
  const excluded = options.ipStrategy?.excludedIPs ?? []
  return [
    ...failing('sourceRange', options.sourceRange, wantRange),
    ...failing('excludedIPs', excluded, wantRange).map((fault) => ({
      ...fault,
      key: ['ipStrategy', ...fault.key],
    })),
  ]
}

function checkCriterion(options: MiddlewareOptions<'inFlightReq'>): Fault[] {
  const criterion = options.sourceCriterion
  if (criterion === null) return []
  const given = [
    criterion.ipStrategy !== null,
    criterion.requestHeaderName !== '',
    criterion.requestHost,
  ]
  const key = ['sourceCriterion']
  if (given.filter(Boolean).length > 1) {
    return [{ key, message: 'sourceCriterion: only one criterion can be given' }]
  }
  const excluded = failing('excludedIPs', criterion.ipStrategy?.excludedIPs ?? [], wantRange)
  const name = criterion.requestHeaderName
  const header = name === '' ? [] : one('requestHeaderName', name, wantName)
  return [...excluded, ...header].map((fault) => ({ ...fault, key }))
}

const plainHeaderValues = [
  'customFrameOptionsValue',
  'customBrowserXSSValue',
  'contentSecurityPolicy',
  'contentSecurityPolicyReportOnly',
  'publicKey',
  'referrerPolicy',
  'permissionsPolicy',
] as const

const headerLists = [
  'accessControlAllowHeaders',
  'accessControlAllowMethods',
  'accessControlAllowOriginList',
  'accessControlExposeHeaders',
] as const

function checkHeaders(options: MiddlewareOptions<'headers'>): Fault[] {
  return [
    ...headerMap('customRequestHeaders', options.customRequestHeaders),
    ...headerMap('customResponseHeaders', options.customResponseHeaders),
    ...headerMap('sslProxyHeaders', options.sslProxyHeaders),
    ...failing('hostsProxyHeaders', options.hostsProxyHeaders, wantName),
    ...failing(
      'accessControlAllowOriginListRegex',
      options.accessControlAllowOriginListRegex,
      wantRegex,
    ),
    ...headerLists.flatMap((key) => failing(key, options[key], hasControls)),
    ...plainHeaderValues.flatMap((key) => one(key, options[key], hasControls)),
  ]
}

function checkErrors(options: MiddlewareOptions<'errors'>): Fault[] {
  const rewrites = Object.keys(options.statusRewrites)
  return [
    ...failing('status', options.status, wantStatus),
    ...failing('statusRewrites', rewrites, wantStatus).map(({ message }) => ({
      key: ['statusRewrites'],
      message,
    })),
    ...one('query', options.query, hasControls),
    ...failing('errorRequestHeaders', options.errorRequestHeaders ?? [], wantName),
  ]
}

function checkRedirectScheme({ scheme, port }: MiddlewareOptions<'redirectScheme'>): Fault[] {
  const faults = one('scheme', scheme, (value) =>
    /^[A-Za-z][A-Za-z0-9+.-]*$/.test(value) ? '' : `${quoted(value)} is not a scheme`,
  )
  const number = Number(port)
  const isPort = /^\d{1,5}$/.test(port) && number >= 1 && number <= 65_535
  if (port !== '' && !isPort)
    faults.push({ key: ['port'], message: `port: ${quoted(port)} is none` })
  return faults
}

const checks: Checks = {
  addPrefix: ({ prefix }) => one('prefix', prefix, wantPath),
  stripPrefix: ({ prefixes }) => failing('prefixes', prefixes, wantPath),
  stripPrefixRegex: ({ regex }) => failing('regex', regex, wantRegex),
  replacePath: ({ path }) => one('path', path, wantPath),
  replacePathRegex: ({ regex, replacement }) => [
    ...one('regex', regex, wantRegex),
    ...one('replacement', replacement, hasControls),
  ],
  redirectRegex: ({ regex, replacement }) => [
    ...one('regex', regex, wantRegex),
    ...one('replacement', replacement, hasControls),
  ],
  ipAllowList: addressRanges,
  ipWhiteList: addressRanges,
  headers: checkHeaders,
  errors: checkErrors,
  redirectScheme: checkRedirectScheme,
  inFlightReq: checkCriterion,
  retry: ({ status }) => failing('status', status, wantStatus),
}

export function checkMiddleware(kind: string, options: unknown): Fault[] {
  const check = checks[kind as BuiltKind] as ((options: unknown) => Fault[]) | undefined
  const faults = check === undefined ? [] : check(options)
  return faults.map((fault) => ({ ...fault, key: [kind, ...fault.key] }))
}
