// core/shared/series.ts: the counters of one worker, in memory that the supervisor reads when it is scraped.
//
// Owner:  the worker writes, alone; the supervisor only reads. A torn read is impossible: each value is one
//         aligned 8-byte double.
// Hot:    yes. Counting a request is a table look-up and a dozen additions; nothing is posted per request.
//
// A series is a block of CELLS doubles. Which labels a block stands for is told to the supervisor once,
// when the block is given out (onNew); so the table of labels never crosses threads again.

import { HTTP, protocolNames } from '../request-protocol.ts'
import type { LabelSet } from './header-labels.ts'

export const REQUESTS = 0
export const DURATION_SUM = 1 // seconds
export const REQUEST_BYTES = 2
export const RESPONSE_BYTES = 3
export const BUCKETS = 4 // count of durations <= bound[i], not cumulative; the last cell counts the rest
export const BUCKETS_MAX = 12
export const CELLS = BUCKETS + BUCKETS_MAX

export const SERIES_MAX = 16_384 // 2 MiB of address space per worker; touched as series appear
export const SERIES_BYTES = SERIES_MAX * CELLS * 8

export interface SeriesLabels {
  readonly family: string // 'entrypoint' | 'router' | 'service' | name of a plain counter
  readonly labels: Readonly<Record<string, string>>
}

export class SeriesTable {
  readonly cells: Float64Array
  private readonly blocks = new Map<string, number>()
  private given = 1 // block 0 takes what no longer fits: nothing is lost, only its labels
  private readonly onNew: (block: number, labels: SeriesLabels) => void

  constructor(memory: SharedArrayBuffer, onNew: (block: number, labels: SeriesLabels) => void) {
    this.cells = new Float64Array(memory)
    this.onNew = onNew
  }

  // The same labels have the same block for the life of the worker, whatever was rebuilt meanwhile: a reload
  // takes no new blocks, and counts go on.
  give(labels: SeriesLabels): number {
    const key = labels.family + ' ' + JSON.stringify(labels.labels)
    const known = this.blocks.get(key)
    if (known !== undefined) return known
    if (this.given >= SERIES_MAX) return 0
    const block = this.given++
    this.blocks.set(key, block)
    this.onNew(block, labels)
    return block
  }

  add(block: number, cell: number, amount: number): void {
    const at = block * CELLS + cell
    this.cells[at] = this.cells[at]! + amount
  }
}

// The series of one entry point, router or service: one block for each method, status and protocol it has seen.
// Most requests have those of the one before, so the last block is kept at hand; a table of all of them would
// cost 190 KB for each of 10,000 services.
const METHODS = 16 // more than there are in core/exchange.ts
const STATUSES = 600 // 0..599; anything else is counted as 0
const LABEL_SETS = 128 // more than SETS_MAX of header-labels.ts
export const LABELLED = '_requests' // 'entrypoint_requests': see countLabelled
const OVER_TLS = '_requests_tls_total'
export class RequestSeries {
  private readonly blocks = new Map<number, number>()
  private labelled: Map<number, number> | null = null // one for each of 10,000 services would be a megabyte
  private lastKind = -1
  private lastBlock = 0
  private overTls: Map<string, number> | null = null
  private lastVersion = ''
  private lastCipher = ''
  private lastTlsBlock = 0
  private readonly table: SeriesTable
  private readonly family: string
  private readonly labels: Readonly<Record<string, string>>
  private readonly bounds: readonly number[]
  private readonly methods: readonly string[]

  constructor(
    table: SeriesTable,
    family: string,
    labels: Readonly<Record<string, string>>,
    bounds: readonly number[],
    methods: readonly string[],
  ) {
    this.table = table
    this.family = family
    this.labels = labels
    this.bounds = bounds
    this.methods = methods
  }

  count(
    methodId: number,
    status: number,
    seconds: number,
    inBytes: number,
    outBytes: number,
    protocol = HTTP,
  ): void {
    const kind = kindOf(methodId, status, protocol)
    const block =
      kind === this.lastKind ? this.lastBlock : this.find(kind, methodId, status, protocol)
    const cells = this.table.cells
    const at = block * CELLS
    cells[at + REQUESTS] = cells[at + REQUESTS]! + 1
    cells[at + DURATION_SUM] = cells[at + DURATION_SUM]! + seconds
    cells[at + REQUEST_BYTES] = cells[at + REQUEST_BYTES]! + inBytes
    cells[at + RESPONSE_BYTES] = cells[at + RESPONSE_BYTES]! + outBytes
    let bucket = 0
    while (bucket < this.bounds.length && seconds > this.bounds[bucket]!) bucket++
    cells[at + BUCKETS + bucket] = cells[at + BUCKETS + bucket]! + 1
  }

  // With headerLabels the number of requests is counted once more, in a family of its own: only that has these labels.
  countLabelled(methodId: number, status: number, protocol: number, set: LabelSet): void {
    const key = kindOf(methodId, status, protocol) * LABEL_SETS + set.id
    this.labelled ??= new Map()
    let block = this.labelled.get(key)
    if (block === undefined) {
      const labels = { ...this.labelsOf(methodId, status, protocol), ...set.labels }
      block = this.table.give({ family: `${this.family}${LABELLED}`, labels })
      this.labelled.set(key, block)
    }
    this.table.add(block, REQUESTS, 1)
  }

  // A request that came by TLS, once more. Clients choose among OpenSSL's suites, which are a few dozen.
  countTls(version: string, cipher: string): void {
    if (version !== this.lastVersion || cipher !== this.lastCipher) this.findTls(version, cipher)
    this.table.add(this.lastTlsBlock, REQUESTS, 1)
  }

  private findTls(version: string, cipher: string): void {
    const key = `${version} ${cipher}`
    this.overTls ??= new Map()
    let block = this.overTls.get(key)
    if (block === undefined) {
      const tls = { tls_version: version.replace(/^TLSv/, ''), tls_cipher: cipher }
      block = this.table.give({
        family: this.family + OVER_TLS,
        labels: { ...this.labels, ...tls },
      })
      this.overTls.set(key, block)
    }
    this.lastVersion = version
    this.lastCipher = cipher
    this.lastTlsBlock = block
  }

  private labelsOf(methodId: number, status: number, protocol: number): Record<string, string> {
    const method = this.methods[methodId]!
    return { ...this.labels, code: String(status), method, protocol: protocolNames[protocol]! }
  }

  private find(kind: number, methodId: number, status: number, protocol: number): number {
    let block = this.blocks.get(kind)
    if (block === undefined) {
      const { family } = this
      block = this.table.give({ family, labels: this.labelsOf(methodId, status, protocol) })
      this.blocks.set(kind, block)
    }
    this.lastKind = kind
    this.lastBlock = block
    return block
  }
}

function kindOf(methodId: number, status: number, protocol: number): number {
  return (protocol * METHODS + methodId) * STATUSES + (status < STATUSES ? status : 0)
}
