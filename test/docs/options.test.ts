// What config hands over for a middleware is what core expects: checked by the compiler, kept by this file.

import { expect, test } from 'vitest'
import type { BuiltKind, MiddlewareOptions } from '../../config/dynamic/middlewares.ts'
import { builtKinds } from '../../config/dynamic/middlewares.ts'
import { middlewareKinds } from '../../core/middleware/build.ts'
import type { AddPrefixOptions } from '../../core/middleware/http/add-prefix.ts'
import type { BodyRewriteOptions } from '../../core/middleware/http/body-rewrite.ts'
import type { BufferingOptions } from '../../core/middleware/http/buffering.ts'
import type { CompressOptions } from '../../core/middleware/http/compress.ts'
import type { BasicAuthOptions } from '../../core/middleware/http/basic-auth.ts'
import type { DigestAuthOptions } from '../../core/middleware/http/digest-auth.ts'
import type { EncodedCharactersOptions } from '../../core/middleware/http/encoded-characters.ts'
import type { ErrorsOptions } from '../../core/middleware/http/errors.ts'
import type { ForceCaseOptions } from '../../core/middleware/http/force-case.ts'
import type { ForwardAuthOptions } from '../../core/middleware/http/forward-auth.ts'
import type { GrpcWebOptions } from '../../core/middleware/http/grpc-web.ts'
import type { HeaderModifierOptions } from '../../core/middleware/http/header-modifier.ts'
import type { HeadersOptions } from '../../core/middleware/http/headers.ts'
import type { HttpCacheOptions } from '../../core/middleware/http/http-cache.ts'
import type { InFlightReqOptions } from '../../core/middleware/http/in-flight-req.ts'
import type { IpAllowListOptions } from '../../core/middleware/http/ip-allow-list.ts'
import type { MaintenanceOptions } from '../../core/middleware/http/maintenance.ts'
import type { RequestIdOptions } from '../../core/middleware/http/request-id.ts'
import type { RequestSizeOptions } from '../../core/middleware/http/request-size.ts'
import type { MirrorOptions } from '../../core/middleware/http/mirror.ts'
import type { PassTlsClientCertOptions } from '../../core/middleware/http/pass-tls-client-cert.ts'
import type { QueryParamOptions } from '../../core/middleware/http/query-param.ts'
import type { ContentTypeOptions } from '../../core/middleware/http/content-type.ts'
import type { RequestRedirectOptions } from '../../core/middleware/http/request-redirect.ts'
import type { UrlRewriteOptions } from '../../core/middleware/http/url-rewrite.ts'
import type { RedirectRegexOptions } from '../../core/middleware/http/redirect-regex.ts'
import type { RedirectSchemeOptions } from '../../core/middleware/http/redirect-scheme.ts'
import type { CircuitBreakerOptions } from '../../core/middleware/http/circuit-breaker.ts'
import type { TimeoutOptions } from '../../core/middleware/http/timeout.ts'
import type { RetryOptions } from '../../core/middleware/http/retry.ts'
import type {
  ReplacePathOptions,
  ReplacePathRegexOptions,
} from '../../core/middleware/http/replace-path.ts'
import type {
  StripPrefixOptions,
  StripPrefixRegexOptions,
} from '../../core/middleware/http/strip-prefix.ts'

interface CoreOptions {
  addPrefix: AddPrefixOptions
  stripPrefix: StripPrefixOptions
  stripPrefixRegex: StripPrefixRegexOptions
  replacePath: ReplacePathOptions
  replacePathRegex: ReplacePathRegexOptions
  chain: unknown // flattened by config, never built
  ipAllowList: IpAllowListOptions
  ipWhiteList: IpAllowListOptions
  headers: HeadersOptions
  encodedCharacters: EncodedCharactersOptions
  errors: ErrorsOptions
  grpcWeb: GrpcWebOptions
  bodyRewrite: BodyRewriteOptions
  buffering: BufferingOptions
  compress: CompressOptions
  mirror: MirrorOptions
  requestSize: RequestSizeOptions
  requestId: RequestIdOptions
  maintenance: MaintenanceOptions
  passTLSClientCert: PassTlsClientCertOptions
  redirectRegex: RedirectRegexOptions
  redirectScheme: RedirectSchemeOptions
  contentType: ContentTypeOptions
  requestRedirect: RequestRedirectOptions
  URLRewrite: UrlRewriteOptions
  httpCache: Omit<HttpCacheOptions, 'store'> // config/compile/cache-plan.ts plans that
  inFlightReq: InFlightReqOptions
  retry: RetryOptions
  basicAuth: BasicAuthOptions
  digestAuth: DigestAuthOptions
  requestHeaderModifier: HeaderModifierOptions
  responseHeaderModifier: HeaderModifierOptions
  forwardAuth: Omit<ForwardAuthOptions, 'url' | 'path' | 'transport'> // config works these out
  queryParam: QueryParamOptions
  forceCase: ForceCaseOptions
  circuitBreaker: CircuitBreakerOptions
  timeout: TimeoutOptions
  // Planned by config/compile/limit-plan.ts, whose functions say what they return.
  rateLimit: unknown
  distributedRateLimit: unknown
  quota: unknown
}

// `true` for each kind whose config type fits core's; a kind that does not fit fails `tsc`.
const fits: {
  [Kind in BuiltKind]: MiddlewareOptions<Kind> extends CoreOptions[Kind] ? true : never
} = {
  addPrefix: true,
  stripPrefix: true,
  stripPrefixRegex: true,
  replacePath: true,
  replacePathRegex: true,
  chain: true,
  ipAllowList: true,
  ipWhiteList: true,
  headers: true,
  encodedCharacters: true,
  errors: true,
  grpcWeb: true,
  bodyRewrite: true,
  buffering: true,
  compress: true,
  mirror: true,
  requestSize: true,
  requestId: true,
  maintenance: true,
  passTLSClientCert: true,
  redirectRegex: true,
  redirectScheme: true,
  contentType: true,
  requestRedirect: true,
  URLRewrite: true,
  httpCache: true,
  inFlightReq: true,
  retry: true,
  basicAuth: true,
  digestAuth: true,
  requestHeaderModifier: true,
  responseHeaderModifier: true,
  forwardAuth: true,
  queryParam: true,
  forceCase: true,
  circuitBreaker: true,
  timeout: true,
  rateLimit: true,
  distributedRateLimit: true,
  quota: true,
}

test('Config accepts exactly the kinds that core can build, and chains', () => {
  expect([...builtKinds].toSorted()).toEqual([...middlewareKinds, 'chain'].toSorted())
  expect(Object.keys(fits).toSorted()).toEqual([...builtKinds].toSorted())
})
