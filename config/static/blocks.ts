// The words that the static schema is written in: defaults, optional blocks, statuses, and the blocks that
// Traefik repeats (TLS of a client, OTLP, credentials).
//
// Absent is null for blocks and '' for text, as in Traefik; consumers never meet undefined. Hot: no.

import { isIP } from 'node:net'
import { z } from 'zod'
import { duration, meta, type KeyMeta } from '../schema.ts'

export const flag = (value: boolean) => z.boolean().default(value)
export const text = (value = '') => z.string().default(value)
export const whole = (value: number) => z.int().min(0).default(value)
export const time = (ms: number) => duration.default(ms)
export const list = (...values: string[]) => z.array(z.string()).default(values)
export const numbers = (...values: number[]) => z.array(z.number()).default(values)
export const map = () => z.record(z.string(), z.string()).default({})
export const secret = () => meta(z.string(), { secret: true }).default('')

// Peers by address or network: '10.0.0.1', '10.0.0.0/8', 'fd00::/8'.
const network = z.string().refine(isNetwork, {
  error: 'is neither an IP address nor a network such as 10.0.0.0/8',
})

export const networks = () => z.array(network).default([])

function isNetwork(text: string): boolean {
  const match = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text)
  const version = match === null ? 0 : isIP(match[1]!)
  if (version === 0) return false
  return Number(match![2] ?? 0) <= (version === 4 ? 32 : 128)
}

// A block that is always there, with its defaults when it isn't written.
export function block<T extends z.ZodRawShape>(shape: T) {
  return z.object(shape).prefault({} as never)
}

// A block that is off until it is written, if only as `{}` or `true`.
export function off<T extends z.ZodRawShape>(shape: T) {
  return meta(z.object(shape), { allowEmpty: true }).nullable().default(null)
}

// A block that users name, enabled by `{}` or `true` too.
export function named<T extends z.ZodType>(element: T) {
  return z.record(z.string(), element).default({})
}

export function notYet<T extends z.ZodType>(schema: T, note: string): T {
  return meta(schema, { status: 'not yet', note })
}

export function partly<T extends z.ZodType>(schema: T, note: string): T {
  return meta(schema, { status: 'partly', note })
}

export function noted<T extends z.ZodType>(schema: T, note: string): T {
  return meta(schema, { note })
}

export function extension<T extends z.ZodType>(schema: T, note: string, more: KeyMeta = {}): T {
  return meta(schema, { extension: true, note, ...more })
}

export const clientTls = () =>
  z
    .object({ ca: text(), cert: text(), key: text(), insecureSkipVerify: flag(false) })
    .nullable()
    .default(null)

// Exporters of telemetry are all the same: where to, over gRPC or HTTP.
export const otlpTargets = {
  grpc: off({
    endpoint: text('localhost:4317'),
    insecure: flag(false),
    headers: map(),
    tls: clientTls(),
  }),
  http: off({ endpoint: text('https://localhost:4318'), headers: map(), tls: clientTls() }),
}

export const tlsDomains = z.array(z.object({ main: text(), sans: list() })).default([])

// What routers and entry points may say of TLS.
export const routerTlsKeys = () => ({
  options: noted(
    text(),
    'routers of one host with different options are all disabled; Traefik takes the default options',
  ),
  certResolver: text(),
  domains: tlsDomains,
})
