// workers/messages.ts: everything that the supervisor and a worker say to each other.
//
// Together with the shared memory of core/shared this is all that two threads have in common.
//
//   supervisor                                worker
//     | -- slice, slice ... of n ------------->|   builds generation n beside the one it serves by
//     |<------------------------------ more ---|   one slice is worked off: at the most two are on their way
//     |<------------------------ prepared(n) --|
//     | == GENERATION := n (shared memory) ===>|   the next request is served by n
//     | -- commit(n) ------------------------->|   so that an idle worker adopts it too
//     |<------------------------- adopted(n) --|
//     |<------------------------- retired(n) --|   its last exchange under a generation before n has ended

import type { Family, Plans } from '../config/generation.ts'
import type { SeriesLabels } from '../core/shared/series.ts'
import type { CacheFromWorker, CacheToWorker } from './cache/messages.ts'
import type { EntryPointBounds, EntryPointTimes } from './downstream/contract.ts'
import type { TlsSecrets } from './tls/state.ts'

export interface EntryPointPlan {
  readonly name: string
  readonly engine: 'node' | 'uws'
  readonly tls: boolean // uws only: a connection is TLS, or none
  readonly trustChunked: boolean // uws only: requests with Transfer-Encoding are taken
  readonly host: string // '' for all addresses
  readonly port: number
  readonly acceptGraceMs: number // after SIGTERM it still accepts for so long
  readonly graceMs: number // and then closes what is left after so long
  readonly times: EntryPointTimes
  readonly bounds: EntryPointBounds
  readonly sanitizePath: boolean
  readonly encodeQuerySemicolons: boolean
  readonly allowEncoded: number // bits, see core/normalise.ts
  readonly underscoreHeaders: 'keep' | 'delete' | 'reject'
  readonly trustAll: boolean
  readonly trustedIPs: readonly string[]
  readonly notAppendXForwardedFor: boolean
  readonly addXForwardedScheme: boolean
  readonly connectionHeaders: readonly string[] // see core/normalise.ts
  readonly via: boolean
  readonly errorPages: boolean // refusals in the form that Accept asks for
  readonly accessLogs: boolean
  readonly metrics: boolean
  readonly proxyProtocol: ProxyProtocolPlan | null
  readonly acmeByPass: boolean // a passthrough router is asked before our own answer to a challenge
  readonly http2: Http2Plan
  readonly neverRefuses: boolean // new connections: ping or the API is there
  readonly altSvc: string // of a QUIC terminator in front: the header's value; '' sends none
}

// Who may begin a connection with a PROXY header. From others it is no header but bytes that no protocol knows.
export interface ProxyProtocolPlan {
  readonly insecure: boolean // everybody
  readonly trustedIPs: readonly string[]
}

export interface Http2Plan {
  readonly maxConcurrentStreams: number
  readonly decoderTableBytesMax: number
  readonly encoderTableBytesMax: number
}

export interface UdpEntryPointPlan {
  readonly name: string
  readonly host: string // '' for all addresses
  readonly port: number
  readonly timeoutMs: number // a session ends after this time without a datagram
  readonly acceptGraceMs: number // as of other entry points; together the time that sessions have to end
  readonly graceMs: number
  readonly metrics: boolean
}

export interface MetricsPlan {
  readonly buckets: readonly number[] // seconds
  readonly entryPoints: boolean
  readonly routers: boolean
  readonly services: boolean
  readonly internals: boolean
  readonly headerLabels: Readonly<Record<string, string>> // label -> name of a request header
}

export interface AccessLogPlan {
  readonly format: 'common' | 'genericCLF' | 'json'
  readonly statusCodes: readonly (readonly [number, number])[] // [] keeps all
  readonly retryAttempts: boolean
  readonly minDurationMs: number
  readonly defaultMode: 'keep' | 'drop'
  readonly names: Readonly<Record<string, string>>
  readonly headersDefaultMode: 'keep' | 'drop' | 'redact'
  readonly headerNames: Readonly<Record<string, string>>
  readonly queryDefaultMode: 'keep' | 'drop' | 'redact'
  readonly internals: boolean
  readonly bufferingSize: number // lines of this worker that are held before they are sent; 0: see access-log.ts
}

// Memory that all workers of the process write, without locks; see core/middleware/worker.ts, SharedTables.
export interface SharedMemory {
  readonly states: SharedArrayBuffer // core/shared/slot-table.ts
  readonly cache: SharedArrayBuffer // core/shared/cache-board.ts
  readonly buckets: SharedArrayBuffer // core/shared/buckets.ts
  readonly inFlight: SharedArrayBuffer // core/shared/in-flight-counts.ts
  readonly spool: SharedArrayBuffer // core/shared/spool-budget.ts
  readonly nonces: SharedArrayBuffer // core/shared/nonce-table.ts; holds a secret
}

// See core/overload and docs/overload.md.
export interface OverloadPlan {
  readonly enabled: boolean
  readonly turnTargetMs: number
  readonly queueMax: number // requests that wait, per worker
  readonly queueTimeoutMs: number
  readonly loopMs: {
    readonly shedLow: number
    readonly shedNormal: number
    readonly refuse: number
  }
  readonly memoryLimit: number // bytes; 0: of the control group or the machine
  readonly memoryPercent: {
    readonly closeConnections: number
    readonly shedLow: number
    readonly shedNormal: number
    readonly refuse: number
  }
}

// Files for bodies that memory does not hold; see workers/spool.
export interface SpoolPlan {
  readonly directory: string
  readonly bytesMax: number // of all workers; 0: no files
}

// workerData of a new worker.
export interface WorkerPlan {
  readonly index: number
  readonly workers: number // how many there are
  readonly control: SharedArrayBuffer
  readonly series: SharedArrayBuffer
  readonly shared: SharedMemory
  readonly entryPoints: readonly EntryPointPlan[]
  readonly udpEntryPoints: readonly UdpEntryPointPlan[]
  readonly hostname: string
  readonly adminSocket: string // unix socket of the supervisor's API
  readonly overload: OverloadPlan
  readonly spool: SpoolPlan
  readonly metrics: MetricsPlan | null
  readonly accessLog: AccessLogPlan | null
  readonly pingTerminatingStatus: number
  readonly maxSemiSpaceMb: number
  readonly debug: boolean // log.level is DEBUG or lower: connections of TCP say what became of them
}

// A part of the way to a generation, of one family; small enough to be worked off in one turn of the event loop.
interface SliceOf<F extends Family> {
  readonly type: 'slice'
  readonly number: number
  readonly base: number // 0: from nothing
  readonly family: F
  readonly set: readonly Plans[F][] // new or changed
  readonly remove: readonly string[]
  readonly last: boolean
}

export type Slice = { [F in Family]: SliceOf<F> }[Family]

export type ToWorker =
  | Slice
  | { readonly type: 'commit'; readonly number: number }
  | { readonly type: 'taken'; readonly length: number } // of log lines: the supervisor is through with them
  | { readonly type: 'flush' } // log lines that are held are sent now
  | { readonly type: 'secrets'; readonly secrets: TlsSecrets } // before the first slice, and when they change
  | { readonly type: 'drain' } // the process ends: see drain.ts
  | { readonly type: 'health'; readonly down: readonly string[] } // keys of all servers that are down
  | { readonly type: 'cache'; readonly message: CacheToWorker }
  | { readonly type: 'exit' } // at once: it is given up on
  | { readonly type: 'block'; readonly ms: number } // tests only: blocks the event loop

export type FromWorker =
  | { readonly type: 'listening' }
  | { readonly type: 'failed'; readonly message: string } // could not listen
  | { readonly type: 'more' } // a slice was taken up: the next may come
  | {
      readonly type: 'prepared'
      readonly number: number
      readonly buildMs: number
      readonly lacking: number // names that the table of shared states has no room for
    }
  | { readonly type: 'refused'; readonly number: number; readonly message: string }
  | { readonly type: 'adopted'; readonly number: number }
  | { readonly type: 'retired'; readonly oldest: number } // no exchange began under an older generation
  | { readonly type: 'series'; readonly block: number; readonly labels: SeriesLabels }
  | { readonly type: 'log'; readonly lines: string; readonly count: number; readonly lost: number }
  | { readonly type: 'defect'; readonly message: string }
  | { readonly type: 'warning'; readonly message: string } // for the operations log
  | { readonly type: 'debug'; readonly message: string } // the same; only when plan.debug
  | { readonly type: 'cache'; readonly message: CacheFromWorker }
  | { readonly type: 'drained'; readonly cut: number } // connections that were not through with their exchange
