// cli/worker-plan.ts: what workers are told of the install configuration, as plain data.
//
// Not hot: once per start. Names of keys are Traefik's on the left and ours on the right; times are ms.

import { hostname, tmpdir } from 'node:os'
import type { EntryPoint, StaticConfig } from '../config/static.ts'
import {
  ALLOW_BACKSLASH,
  ALLOW_HASH,
  ALLOW_NULL,
  ALLOW_PERCENT,
  ALLOW_QUESTION_MARK,
  ALLOW_SEMICOLON,
  ALLOW_SLASH,
} from '../core/normalise.ts'
import type {
  AccessLogPlan,
  EntryPointPlan,
  MetricsPlan,
  OverloadPlan,
  UdpEntryPointPlan,
} from '../workers/messages.ts'
import type { SharedPlan } from '../workers/supervisor.ts'

// Two of these make a young generation. With 8 the same load spent 0 to 1 % less CPU (paired runs) and each worker had
// 5 MiB more from its start on.
const SEMI_SPACE_MB = 4

export function workerPlanOf(config: StaticConfig, adminSocket: string): SharedPlan {
  return {
    entryPoints: entryPointPlans(config),
    udpEntryPoints: udpEntryPointPlans(config),
    hostname: hostname(),
    adminSocket,
    overload: overloadPlan(config),
    spool: {
      directory: config.buffering.directory || tmpdir(),
      bytesMax: config.buffering.diskBytesMax,
    },
    metrics: metricsPlan(config),
    accessLog: accessLogPlan(config),
    pingTerminatingStatus: config.ping?.terminatingStatusCode ?? 503,
    maxSemiSpaceMb: SEMI_SPACE_MB,
    debug: config.log.level === 'DEBUG' || config.log.level === 'TRACE',
  }
}

function entryPointPlans(config: StaticConfig): EntryPointPlan[] {
  return Object.entries(config.entryPoints)
    .filter(([, point]) => point.listen.protocol === 'tcp')
    .map(([name, point]) => entryPointPlan(name, point, config))
}

function entryPointPlan(name: string, point: EntryPoint, config: StaticConfig): EntryPointPlan {
  const { http, forwardedHeaders, transport, observability } = point
  return {
    name,
    engine: point.engine,
    tls: point.http.tls !== null,
    trustChunked: point.trustChunkedRequests,
    host: point.listen.host,
    port: point.listen.port,
    acceptGraceMs: acceptGraceOf(name, config),
    graceMs: transport.lifeCycle.graceTimeOut,
    times: timesOf(transport),
    bounds: transport.limits,
    sanitizePath: http.sanitizePath,
    encodeQuerySemicolons: http.encodeQuerySemicolons,
    allowEncoded: allowedBits(http.encodedCharacters),
    underscoreHeaders: http.underscoreHeadersStrategy,
    trustAll: forwardedHeaders.insecure,
    trustedIPs: forwardedHeaders.trustedIPs,
    notAppendXForwardedFor:
      forwardedHeaders.notAppendXForwardedFor || config.global.notAppendXForwardedFor,
    addXForwardedScheme: forwardedHeaders.addXForwardedSchemeHeaders,
    connectionHeaders: forwardedHeaders.connection.map((name) => name.toLowerCase()),
    via: http.via,
    errorPages: http.errorPages,
    accessLogs: observability.accessLogs,
    metrics: observability.metrics,
    proxyProtocol: point.proxyProtocol,
    acmeByPass: point.allowACMEByPass,
    http2: {
      maxConcurrentStreams: point.http2.maxConcurrentStreams,
      decoderTableBytesMax: point.http2.maxDecoderHeaderTableSize,
      encoderTableBytesMax: point.http2.maxEncoderHeaderTableSize,
    },
    altSvc: altSvcOf(point),
    neverRefuses: isOfOperators(name, config),
  }
}

// Whoever looks after the gateway must reach it when it refuses all others.
function isOfOperators(name: string, config: StaticConfig): boolean {
  const { api, ping, metrics } = config
  const places = [
    ping !== null && !ping.manualRouting ? ping.entryPoint : '',
    api !== null && api.insecure ? api.entryPoint : '',
    metrics?.prometheus && !metrics.prometheus.manualRouting ? metrics.prometheus.entryPoint : '',
  ]
  return places.includes(name)
}

function overloadPlan({ overload }: StaticConfig): OverloadPlan {
  const { loop, memory } = overload
  return {
    enabled: overload.enabled,
    turnTargetMs: overload.turnTarget,
    queueMax: overload.queueMax,
    queueTimeoutMs: overload.queueTimeout,
    loopMs: {
      shedLow: loop.shedLow,
      shedNormal: loop.shedNormal,
      refuse: loop.refuseConnections,
    },
    memoryLimit: overload.memoryLimit,
    memoryPercent: {
      closeConnections: memory.closeConnections,
      shedLow: memory.shedLow,
      shedNormal: memory.shedNormal,
      refuse: memory.refuseConnections,
    },
  }
}

function udpEntryPointPlans(config: StaticConfig): UdpEntryPointPlan[] {
  return Object.entries(config.entryPoints)
    .filter(([, point]) => point.listen.protocol === 'udp')
    .map(([name, { listen, udp, observability, transport }]) => ({
      name,
      host: listen.host,
      port: listen.port,
      timeoutMs: udp.timeout,
      acceptGraceMs: transport.lifeCycle.requestAcceptGraceTimeout,
      graceMs: transport.lifeCycle.graceTimeOut,
      metrics: observability.metrics,
    }))
}

const ALT_SVC_AGE_S = 86_400 // RFC 7838 takes a day when nothing is said

// RFC 7838: '[host]:port' of the one that speaks QUIC; no host stands for the one that was asked.
function altSvcOf(point: EntryPoint): string {
  const { http3, listen } = point
  if (http3 === null || http3.frontedBy === '') return ''
  const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(http3.frontedBy)!
  const advertised = port ?? (http3.advertisedPort || listen.port)
  return `h3="${host}:${advertised}"; ma=${ALT_SVC_AGE_S}`
}

// Whoever asks /ready must hear 503 for as long as any entry point still accepts, and not find the port closed.
function acceptGraceOf(name: string, config: StaticConfig): number {
  const own = config.entryPoints[name]!.transport.lifeCycle.requestAcceptGraceTimeout
  if (config.ping === null || config.ping.entryPoint !== name) return own
  const all = Object.values(config.entryPoints).map((point) => point.transport.lifeCycle)
  return Math.max(own, ...all.map((cycle) => cycle.requestAcceptGraceTimeout))
}

function timesOf(transport: EntryPoint['transport']): EntryPointPlan['times'] {
  const times = transport.respondingTimeouts
  return {
    headerTimeoutMs: times.headerTimeout,
    idleTimeoutMs: times.idleTimeout,
    readTimeoutMs: times.readTimeout,
    bodyStallTimeoutMs: times.bodyStallTimeout,
    bodyRateMin: times.bodyRateMin,
    bodyRateGraceMs: times.bodyRateGrace,
    writeStallTimeoutMs: times.writeStallTimeout,
    writeTimeoutMs: times.writeTimeout,
    keepAliveMaxRequests: transport.keepAliveMaxRequests,
    keepAliveMaxTimeMs: transport.keepAliveMaxTime,
  }
}

function allowedBits(allowed: EntryPoint['http']['encodedCharacters']): number {
  return (
    (allowed.allowEncodedSlash ? ALLOW_SLASH : 0) |
    (allowed.allowEncodedBackSlash ? ALLOW_BACKSLASH : 0) |
    (allowed.allowEncodedNullCharacter ? ALLOW_NULL : 0) |
    (allowed.allowEncodedSemicolon ? ALLOW_SEMICOLON : 0) |
    (allowed.allowEncodedPercent ? ALLOW_PERCENT : 0) |
    (allowed.allowEncodedQuestionMark ? ALLOW_QUESTION_MARK : 0) |
    (allowed.allowEncodedHash ? ALLOW_HASH : 0)
  )
}

function metricsPlan(config: StaticConfig): MetricsPlan | null {
  const prometheus = config.metrics?.prometheus
  if (!prometheus) return null
  return {
    buckets: prometheus.buckets,
    entryPoints: prometheus.addEntryPointsLabels,
    routers: prometheus.addRoutersLabels,
    services: prometheus.addServicesLabels,
    internals: config.metrics!.addInternals,
    headerLabels: prometheus.headerLabels,
  }
}

function accessLogPlan(config: StaticConfig): AccessLogPlan | null {
  const log = config.accessLog
  if (!log) return null
  const { filters, fields } = log
  return {
    format: log.format,
    statusCodes: filters.statusCodes.map(rangeOf),
    retryAttempts: filters.retryAttempts,
    minDurationMs: filters.minDuration,
    defaultMode: fields.defaultMode === 'drop' ? 'drop' : 'keep',
    names: fields.names,
    headersDefaultMode: fields.headers.defaultMode,
    headerNames: fields.headers.names,
    queryDefaultMode: fields.queryParameters.defaultMode,
    internals: log.addInternals,
    // So many for the whole process: each worker holds its share.
    bufferingSize: Math.ceil(log.bufferingSize / config.workers),
  }
}

// '404' -> [404, 404], '500-599' -> [500, 599]
function rangeOf(text: string): readonly [number, number] {
  const [low, high] = text.split('-').map(Number)
  return [low!, high ?? low!]
}
