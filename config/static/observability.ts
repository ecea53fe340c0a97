// log, accessLog, metrics, tracing: what the gateway says about itself. Traefik's keys and defaults. Hot: no.

import { z } from 'zod'
import {
  block,
  flag,
  list,
  map,
  noted,
  notYet,
  numbers,
  off,
  otlpTargets,
  secret,
  text,
  time,
  whole,
} from './blocks.ts'

const otlpLogs = () =>
  notYet(
    off({ ...otlpTargets, resourceAttributes: map(), serviceName: text('traefik') }),
    'OpenTelemetry',
  )

export const log = block({
  level: z.enum(['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'PANIC']).default('ERROR'),
  format: z.enum(['common', 'json']).default('common'),
  filePath: text(),
  noColor: flag(false),
  maxSize: noted(whole(0), 'MiB; 0 is 100, as in Traefik'),
  maxAge: noted(whole(0), 'days; 0 is for ever'),
  maxBackups: noted(whole(0), '0 keeps all'),
  compress: flag(false),
  otlp: otlpLogs(),
})

// A set of status codes: '404' or '500-599'.
const statusRange = z
  .string()
  .regex(/^[1-9]\d\d(-[1-9]\d\d)?$/, { error: 'is not a status code such as 404 or 500-599' })

const keepOrDrop = (value: 'keep' | 'drop') => z.enum(['keep', 'drop', 'redact']).default(value)
const fieldModes = z.record(z.string(), z.enum(['keep', 'drop', 'redact'])).default({})

export const accessLog = off({
  filePath: text(),
  format: z.enum(['common', 'genericCLF', 'json']).default('common'),
  bufferingSize: noted(whole(0), 'so many lines are held, 5 s at the most; requests never wait'),
  addInternals: flag(false),
  dualOutput: notYet(flag(false), 'OpenTelemetry'),
  filters: block({
    statusCodes: z.array(statusRange).default([]),
    retryAttempts: flag(false),
    minDuration: time(0),
  }),
  fields: block({
    defaultMode: keepOrDrop('keep'),
    names: fieldModes,
    headers: block({ defaultMode: keepOrDrop('drop'), names: fieldModes }),
    queryParameters: block({ defaultMode: keepOrDrop('keep') }),
  }),
  otlp: otlpLogs(),
})

const labels = {
  addEntryPointsLabels: flag(true),
  addRoutersLabels: flag(false),
  addServicesLabels: flag(true),
}

const pushed = (address: string) => ({
  ...labels,
  address: text(address),
  pushInterval: time(10_000),
})

const otlpBoundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

function isAscending(bounds: readonly number[]): boolean {
  return bounds.every((bound, at) => bound > (bounds[at - 1] ?? 0))
}

const ownLabels = new Set(['code', 'method', 'protocol', 'entrypoint', 'router', 'service'])

// Of what Prometheus takes as a label, without those that it keeps for itself or that are there anyway.
function areLabels(wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(
    ([label, header]) =>
      /^(?!__)[A-Za-z_]\w{0,99}$/.test(label) &&
      !ownLabels.has(label) &&
      /^[\w!#$%&'*+.^`|~-]{1,100}$/.test(header),
  )
}

export const metrics = off({
  addInternals: flag(false),
  prometheus: off({
    ...labels,
    buckets: numbers(0.1, 0.3, 1.2, 5).refine(isAscending, { error: 'must ascend, from above 0' }),
    entryPoint: text('traefik'),
    manualRouting: flag(false),
    headerLabels: noted(
      map().refine(areLabels, { error: 'maps names of labels to names of headers' }),
      'at most 100 combinations of values per worker, then "other"',
    ),
  }),
  datadog: notYet(off({ ...pushed('localhost:8125'), prefix: text('traefik') }), 'Datadog'),
  statsD: notYet(off({ ...pushed('localhost:8125'), prefix: text('traefik') }), 'StatsD'),
  influxDB2: notYet(
    off({
      ...pushed('http://localhost:8086'),
      token: secret(),
      org: text(),
      bucket: text(),
      additionalLabels: map(),
    }),
    'InfluxDB',
  ),
  otlp: notYet(
    off({
      ...labels,
      ...otlpTargets,
      explicitBoundaries: numbers(...otlpBoundaries),
      pushInterval: time(10_000),
      serviceName: text('traefik'),
      resourceAttributes: map(),
    }),
    'OpenTelemetry',
  ),
})

export const tracing = notYet(
  off({
    serviceName: text('traefik'),
    sampleRate: z.number().min(0).max(1).default(1),
    resourceAttributes: map(),
    globalAttributes: map(),
    capturedRequestHeaders: list(),
    capturedResponseHeaders: list(),
    safeQueryParams: list(),
    addInternals: flag(false),
    otlp: off(otlpTargets),
  }),
  'tracing',
)
