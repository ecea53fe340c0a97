// config/compile/middleware-checks.ts: the closer look at middleware options, beyond their types.
//
// What passes here never fails when a worker builds the middleware. Hot: no.

import type { BuiltKind, MiddlewareOptions } from '../dynamic/middlewares.ts'
import { checkBodyRewrite, checkBuffering, checkCompress } from './body-checks.ts'
import {
  checkModifier,
  checkRequestRedirect,
  checkUrlRewrite,
} from './middleware-checks-gateway.ts'
import { checkForwardAuth, checkUsers } from './middleware-checks-auth.ts'
import { checkForceCase, checkHttpCache, checkQueryParam } from './middleware-checks-hub.ts'
import { checkCircuitBreaker, checkRetry, checkTimeout } from './middleware-checks-resilience.ts'
import {
  checkCriterion,
  checkDistributedRateLimit,
  checkQuota,
  checkRateLimit,
} from './limit-checks.ts'
import {
  failing,
  hasControls,
  headerMap,
  one,
  quoted,
  wantName,
  wantPath,
  wantPort,
  wantRange,
  wantRegex,
  wantReplacing,
  wantStatus,
} from './middleware-words.ts'
import type { Fault } from './middleware-words.ts'

type Check<Kind extends BuiltKind> = (options: MiddlewareOptions<Kind>) => Fault[]
type Checks = { readonly [Kind in BuiltKind]?: Check<Kind> }

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
  return port === '' ? faults : [...faults, ...one('port', port, wantPort)]
}

const checks: Checks = {
  addPrefix: ({ prefix }) => one('prefix', prefix, wantPath),
  stripPrefix: ({ prefixes }) => failing('prefixes', prefixes, wantPath),
  stripPrefixRegex: ({ regex }) => failing('regex', regex, wantRegex),
  replacePath: ({ path }) => one('path', path, wantPath),
  replacePathRegex: ({ regex, replacement }) => [
    ...one('regex', regex, wantReplacing),
    ...one('replacement', replacement, hasControls),
  ],
  redirectRegex: ({ regex, replacement }) => [
    ...one('regex', regex, wantReplacing),
    ...one('replacement', replacement, hasControls),
  ],
  ipAllowList: addressRanges,
  ipWhiteList: addressRanges,
  headers: checkHeaders,
  errors: checkErrors,
  redirectScheme: checkRedirectScheme,
  httpCache: checkHttpCache,
  inFlightReq: checkCriterion,
  circuitBreaker: checkCircuitBreaker,
  timeout: checkTimeout,
  retry: checkRetry,
  rateLimit: checkRateLimit,
  distributedRateLimit: checkDistributedRateLimit,
  quota: checkQuota,
  basicAuth: checkUsers,
  digestAuth: checkUsers,
  forwardAuth: checkForwardAuth,
  requestHeaderModifier: checkModifier,
  responseHeaderModifier: checkModifier,
  requestRedirect: checkRequestRedirect,
  URLRewrite: checkUrlRewrite,
  queryParam: checkQueryParam,
  forceCase: checkForceCase,
  bodyRewrite: checkBodyRewrite,
  buffering: checkBuffering,
  compress: checkCompress,
  requestId: ({ headerName }) => one('headerName', headerName, wantName),
  maintenance: ({ message, allowedRange, ipStrategy }) => [
    ...one('message', message, hasControls),
    ...failing('allowedRange', allowedRange, wantRange),
    ...failing('excludedIPs', ipStrategy?.excludedIPs ?? [], wantRange),
  ],
}

export function checkMiddleware(kind: string, options: unknown): Fault[] {
  const check = checks[kind as BuiltKind] as ((options: unknown) => Fault[]) | undefined
  return check === undefined ? [] : check(options)
}
