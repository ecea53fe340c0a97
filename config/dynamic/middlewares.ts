// config/dynamic/middlewares.ts: options of the middlewares that are built, with Traefik's keys and defaults.
//
// What a plan carries is the output of these schemas: text is '' when absent, lists are [], blocks are null,
// durations are milliseconds. Checks that look at a value more closely are in middleware-checks.ts. Hot: no.

import { z } from 'zod'
import { extension, flag, list, map, noted, off, text } from '../static/blocks.ts'
import { ipStrategy, limits } from './limits.ts'
import { gatewayMiddlewares } from './middlewares-gateway.ts'
import { authMiddlewares } from './middlewares-auth.ts'
import { hubMiddlewares } from './middlewares-hub.ts'
import { bodyRewrite } from './body-rewrite.ts'
import { resilienceMiddlewares } from './resilience.ts'
import { ownMiddlewares } from './middlewares-own.ts'
import { pluginSchema } from './plugins.ts'

// Of the subject or the issuer of a client's certificate.
const nameParts = {
  country: flag(false),
  province: flag(false),
  locality: flag(false),
  organization: flag(false),
  commonName: flag(false),
  serialNumber: flag(false),
  domainComponent: flag(false),
}

const passTLSClientCert = off({
  pem: flag(false),
  info: off({
    notAfter: flag(false),
    notBefore: flag(false),
    sans: flag(false),
    serialNumber: flag(false),
    subject: off({ ...nameParts, organizationalUnit: flag(false) }),
    issuer: off(nameParts),
  }),
})

const coding = z.enum(['gzip', 'br', 'zstd'])
const BUFFERED_MAX = 256 * 1024 * 1024 // of one body; it lies in memory
const COMPRESS_MIN_MAX = 16 * 1024 * 1024 // so much of a body may have to wait in memory

const ignored = 'deprecated in Traefik and without effect there too'

const headers = off({
  customRequestHeaders: map(),
  customResponseHeaders: map(),
  accessControlAllowCredentials: flag(false),
  accessControlAllowHeaders: list(),
  accessControlAllowMethods: list(),
  accessControlAllowOriginList: list(),
  accessControlAllowOriginListRegex: list(),
  accessControlExposeHeaders: list(),
  accessControlMaxAge: z.int().optional(), // 0 is said too: browsers then ask each time
  addVaryHeader: flag(false),
  allowedHosts: list(),
  hostsProxyHeaders: list(),
  sslProxyHeaders: map(),
  stsSeconds: z.int().min(0).default(0),
  stsIncludeSubdomains: flag(false),
  stsPreload: flag(false),
  forceSTSHeader: flag(false),
  frameDeny: flag(false),
  customFrameOptionsValue: text(),
  contentTypeNosniff: flag(false),
  browserXssFilter: flag(false),
  customBrowserXSSValue: text(),
  contentSecurityPolicy: text(),
  contentSecurityPolicyReportOnly: text(),
  publicKey: text(),
  referrerPolicy: text(),
  permissionsPolicy: text(),
  isDevelopment: flag(false),
  featurePolicy: noted(text(), ignored),
  sslRedirect: noted(flag(false), ignored),
  sslTemporaryRedirect: noted(flag(false), ignored),
  sslHost: noted(text(), ignored),
  sslForceHost: noted(flag(false), ignored),
})

const ranges = {
  sourceRange: z.array(z.string()).min(1),
  ipStrategy: ipStrategy(),
}

const builtMiddlewares = {
  addPrefix: off({ prefix: z.string() }),
  stripPrefix: off({
    prefixes: z.array(z.string()).min(1),
    forceSlash: noted(flag(false), 'deprecated in Traefik; the path always begins with a slash'),
  }),
  stripPrefixRegex: off({ regex: z.array(z.string()).min(1) }),
  replacePath: off({ path: z.string() }),
  replacePathRegex: off({ regex: z.string().min(1), replacement: text() }),
  chain: off({ middlewares: z.array(z.string()).min(1) }),
  ipAllowList: off({ ...ranges, rejectStatusCode: z.int().min(200).max(599).default(403) }),
  ipWhiteList: noted(off(ranges), 'deprecated: the same as ipAllowList'),
  headers,
  encodedCharacters: off({
    allowEncodedSlash: flag(false),
    allowEncodedBackSlash: flag(false),
    allowEncodedNullCharacter: flag(false),
    allowEncodedSemicolon: flag(false),
    allowEncodedPercent: flag(false),
    allowEncodedQuestionMark: flag(false),
    allowEncodedHash: flag(false),
  }),
  contentType: off({
    autoDetect: noted(
      z.boolean().nullable().default(null),
      'Traefik v3 says to leave it out; false switches the middleware off',
    ),
  }),
  errors: off({
    status: z.array(z.string()).min(1),
    statusRewrites: z.record(z.string(), z.int().min(100).max(599)).default({}),
    service: z.string().min(1),
    query: text(),
    errorRequestHeaders: z.array(z.string()).nullable().default(null), // null: all of them
  }),
  redirectRegex: off({
    regex: z.string().min(1),
    replacement: z.string().min(1),
    permanent: flag(false),
  }),
  redirectScheme: off({ scheme: z.string().min(1), port: text(), permanent: flag(false) }),
  grpcWeb: off({ allowOrigins: list() }),
  passTLSClientCert,
  mirror: extension(
    off({
      service: z.string().min(1),
      percent: z.int().min(0).max(100).default(100),
      mirrorBody: flag(true),
      maxBodySize: z.int().default(-1),
      when: z.enum(['after', 'during']).default('after'),
    }),
    'a mirroring service as a middleware',
  ),
  bodyRewrite,
  buffering: off({
    maxRequestBodyBytes: z.int().min(0).default(0),
    memRequestBodyBytes: z.int().min(0).max(BUFFERED_MAX).default(1_048_576),
    maxResponseBodyBytes: z.int().min(0).default(0),
    memResponseBodyBytes: z.int().min(0).max(BUFFERED_MAX).default(1_048_576),
    retryExpression: text(),
    disableRequestBuffer: flag(false),
    disableResponseBuffer: flag(false),
  }),
  compress: off({
    encodings: z.array(coding).min(1).default(['gzip', 'br', 'zstd']),
    defaultEncoding: z.union([z.literal(''), coding]).default(''),
    minResponseBodyBytes: z.int().min(0).max(COMPRESS_MIN_MAX).default(1024),
    excludedContentTypes: list(),
    includedContentTypes: list(),
  }),
  ...limits,
  ...resilienceMiddlewares,
  ...authMiddlewares,
  ...gatewayMiddlewares,
  ...hubMiddlewares,
  ...ownMiddlewares,
}

export const middlewareSchema = z.object({
  ...builtMiddlewares,
  plugin: pluginSchema,
})

export type MiddlewareConfig = z.output<typeof middlewareSchema>
export type BuiltKind = keyof typeof builtMiddlewares
export type MiddlewareOptions<Kind extends BuiltKind> = NonNullable<MiddlewareConfig[Kind]>

export const builtKinds: ReadonlySet<string> = new Set(Object.keys(builtMiddlewares))
