// core/middleware/build.ts: makes the middleware object of a plan, for one router.
//
// Hot: no. Called when a generation is adopted. `options` were checked and filled by config, which also
// refuses kinds that are not here; so the casts below have the schema behind them
// (config/dynamic/middlewares.ts), and a wrong one is a defect of ours, not of a user.

import type { Middleware, MiddlewareContext } from './contract.ts'
import { AddPrefix } from './http/add-prefix.ts'
import type { AddPrefixOptions } from './http/add-prefix.ts'
import { BodyRewrite } from './http/body-rewrite.ts'
import type { BodyRewriteOptions } from './http/body-rewrite.ts'
import { Buffering } from './http/buffering.ts'
import type { BufferingOptions } from './http/buffering.ts'
import { CircuitBreaker } from './http/circuit-breaker.ts'
import type { CircuitBreakerOptions } from './http/circuit-breaker.ts'
import { Compress } from './http/compress.ts'
import type { CompressOptions } from './http/compress.ts'
import { DistributedRateLimit } from './http/distributed-rate-limit.ts'
import type { DistributedRateLimitOptions } from './http/distributed-rate-limit.ts'
import { BasicAuth } from './http/basic-auth.ts'
import type { BasicAuthOptions } from './http/basic-auth.ts'
import { DigestAuth } from './http/digest-auth.ts'
import type { DigestAuthOptions } from './http/digest-auth.ts'
import { EncodedCharacters } from './http/encoded-characters.ts'
import type { EncodedCharactersOptions } from './http/encoded-characters.ts'
import { Errors } from './http/errors.ts'
import type { ErrorsOptions } from './http/errors.ts'
import { ForceCase } from './http/force-case.ts'
import type { ForceCaseOptions } from './http/force-case.ts'
import { ContentType } from './http/content-type.ts'
import type { ContentTypeOptions } from './http/content-type.ts'
import { ForwardAuth } from './http/forward-auth.ts'
import type { ForwardAuthOptions } from './http/forward-auth.ts'
import { GrpcWeb } from './http/grpc-web.ts'
import type { GrpcWebOptions } from './http/grpc-web.ts'
import { RequestHeaderModifier, ResponseHeaderModifier } from './http/header-modifier.ts'
import type { HeaderModifierOptions } from './http/header-modifier.ts'
import { Headers } from './http/headers.ts'
import type { HeadersOptions } from './http/headers.ts'
import { HttpCache } from './http/http-cache.ts'
import type { HttpCacheOptions } from './http/http-cache.ts'
import { InFlightReq } from './http/in-flight-req.ts'
import type { InFlightReqOptions } from './http/in-flight-req.ts'
import { IpAllowList } from './http/ip-allow-list.ts'
import type { IpAllowListOptions } from './http/ip-allow-list.ts'
import { Maintenance } from './http/maintenance.ts'
import type { MaintenanceOptions } from './http/maintenance.ts'
import { RequestId } from './http/request-id.ts'
import type { RequestIdOptions } from './http/request-id.ts'
import { RequestSize } from './http/request-size.ts'
import type { RequestSizeOptions } from './http/request-size.ts'
import { Mirror } from './http/mirror.ts'
import type { MirrorOptions } from './http/mirror.ts'
import { PassTlsClientCert } from './http/pass-tls-client-cert.ts'
import type { PassTlsClientCertOptions } from './http/pass-tls-client-cert.ts'
import { QueryParam } from './http/query-param.ts'
import type { QueryParamOptions } from './http/query-param.ts'
import { Quota } from './http/quota.ts'
import type { QuotaOptions } from './http/quota.ts'
import { RateLimit } from './http/rate-limit.ts'
import type { RateLimitOptions } from './http/rate-limit.ts'
import { RedirectRegex } from './http/redirect-regex.ts'
import type { RedirectRegexOptions } from './http/redirect-regex.ts'
import { RedirectScheme } from './http/redirect-scheme.ts'
import type { RedirectSchemeOptions } from './http/redirect-scheme.ts'
import { ReplacePath, ReplacePathRegex } from './http/replace-path.ts'
import type { ReplacePathOptions, ReplacePathRegexOptions } from './http/replace-path.ts'
import { RequestRedirect } from './http/request-redirect.ts'
import type { RequestRedirectOptions } from './http/request-redirect.ts'
import { UrlRewrite } from './http/url-rewrite.ts'
import type { UrlRewriteOptions } from './http/url-rewrite.ts'
import { Retry } from './http/retry.ts'
import type { RetryOptions } from './http/retry.ts'
import { Timeout } from './http/timeout.ts'
import type { TimeoutOptions } from './http/timeout.ts'
import { StripPrefix, StripPrefixRegex } from './http/strip-prefix.ts'
import type { StripPrefixOptions, StripPrefixRegexOptions } from './http/strip-prefix.ts'

// config/generation.ts: MiddlewarePlan, which core may not import.
export interface MiddlewareSource {
  readonly name: string
  readonly kind: string
  readonly options: unknown
}

type Build = (name: string, options: unknown, context: MiddlewareContext) => Middleware

const builders: ReadonlyMap<string, Build> = new Map<string, Build>([
  ['addPrefix', (name, options) => new AddPrefix(name, options as AddPrefixOptions)],
  ['stripPrefix', (name, options) => new StripPrefix(name, options as StripPrefixOptions)],
  [
    'stripPrefixRegex',
    (name, options) => new StripPrefixRegex(name, options as StripPrefixRegexOptions),
  ],
  ['replacePath', (name, options) => new ReplacePath(name, options as ReplacePathOptions)],
  [
    'replacePathRegex',
    (name, options) => new ReplacePathRegex(name, options as ReplacePathRegexOptions),
  ],
  ['headers', (name, options) => new Headers(name, options as HeadersOptions)],
  ['redirectScheme', (name, options) => new RedirectScheme(name, options as RedirectSchemeOptions)],
  ['redirectRegex', (name, options) => new RedirectRegex(name, options as RedirectRegexOptions)],
  ['ipAllowList', (name, options) => new IpAllowList(name, options as IpAllowListOptions)],
  ['ipWhiteList', (name, options) => new IpAllowList(name, options as IpAllowListOptions)],
  [
    'inFlightReq',
    (name, options, context) => new InFlightReq(name, options as InFlightReqOptions, context),
  ],
  [
    'rateLimit',
    (name, options, context) =>
      new RateLimit(name, 'rateLimit', options as RateLimitOptions, context),
  ],
  [
    'distributedRateLimit',
    (name, options, context) =>
      new DistributedRateLimit(name, options as DistributedRateLimitOptions, context),
  ],
  ['quota', (name, options, context) => new Quota(name, options as QuotaOptions, context)],
  [
    'passTLSClientCert',
    (name, options) => new PassTlsClientCert(name, options as PassTlsClientCertOptions),
  ],
  ['requestSize', (name, options) => new RequestSize(name, options as RequestSizeOptions)],
  [
    'requestId',
    (name, options, context) => new RequestId(name, options as RequestIdOptions, context),
  ],
  ['maintenance', (name, options) => new Maintenance(name, options as MaintenanceOptions)],
  ['mirror', (name, options, context) => new Mirror(name, options as MirrorOptions, context)],
  [
    'httpCache',
    (name, options, context) => new HttpCache(name, options as HttpCacheOptions, context),
  ],
  [
    'bodyRewrite',
    (name, options, context) => new BodyRewrite(name, options as BodyRewriteOptions, context),
  ],
  [
    'buffering',
    (name, options, context) => new Buffering(name, options as BufferingOptions, context),
  ],
  ['compress', (name, options, context) => new Compress(name, options as CompressOptions, context)],
  ['grpcWeb', (name, options) => new GrpcWeb(name, options as GrpcWebOptions)],
  [
    'basicAuth',
    (name, options, context) => new BasicAuth(name, options as BasicAuthOptions, context),
  ],
  [
    'forwardAuth',
    (name, options, context) => new ForwardAuth(name, options as ForwardAuthOptions, context),
  ],
  [
    'requestHeaderModifier',
    (name, options) => new RequestHeaderModifier(name, options as HeaderModifierOptions),
  ],
  [
    'responseHeaderModifier',
    (name, options) => new ResponseHeaderModifier(name, options as HeaderModifierOptions),
  ],
  [
    'digestAuth',
    (name, options, context) => new DigestAuth(name, options as DigestAuthOptions, context),
  ],
  ['queryParam', (name, options) => new QueryParam(name, options as QueryParamOptions)],
  ['forceCase', (name, options) => new ForceCase(name, options as ForceCaseOptions)],
  [
    'contentType',
    (name, options, context) => new ContentType(name, options as ContentTypeOptions, context),
  ],
  [
    'requestRedirect',
    (name, options) => new RequestRedirect(name, options as RequestRedirectOptions),
  ],
  ['URLRewrite', (name, options) => new UrlRewrite(name, options as UrlRewriteOptions)],
  ['errors', (name, options) => new Errors(name, options as ErrorsOptions)],
  [
    'circuitBreaker',
    (name, options, context) => new CircuitBreaker(name, options as CircuitBreakerOptions, context),
  ],
  ['timeout', (name, options, context) => new Timeout(name, options as TimeoutOptions, context)],
  ['retry', (name, options, context) => new Retry(name, options as RetryOptions, context)],
  [
    'encodedCharacters',
    (name, options) => new EncodedCharacters(name, options as EncodedCharactersOptions),
  ],
])

export const middlewareKinds: readonly string[] = [...builders.keys()]

export function buildMiddleware(plan: MiddlewareSource, context: MiddlewareContext): Middleware {
  const build = builders.get(plan.kind)
  if (build === undefined) throw new Error(`no middleware of kind ${plan.kind}`)
  return build(plan.name, plan.options, context)
}
