// test/faults/ledger.ts: a server that remembers every request by its id, and traffic at a fixed rate that does too: together
// they prove what was lost and what was delivered twice.
//
// The rate does not follow the answers (an open loop): a gateway that stands still is asked as often as before.

import http from 'node:http'
import { type HttpOrigin, startHttpOrigin } from '../support/origin.ts'

export interface LedgerOrigin extends HttpOrigin {
  readonly seen: ReadonlyMap<string, number> // id -> how often it came, whole
}

type Answer = (request: http.IncomingMessage, response: http.ServerResponse, body: Buffer) => void

const plain: Answer = (_request, response, body) => void response.end(`got ${body.length}`)

export async function startLedgerOrigin(answer: Answer = plain): Promise<LedgerOrigin> {
  const seen = new Map<string, number>()
  const origin = await startHttpOrigin((request, response) => {
    const id = String(request.headers['x-id'] ?? '')
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      seen.set(id, (seen.get(id) ?? 0) + 1)
      answer(request, response, Buffer.concat(pieces))
    })
    request.on('error', () => undefined)
    response.on('error', () => undefined)
  })
  return { ...origin, seen }
}

export interface TrafficOptions {
  readonly port: number
  readonly perSecond: number
  readonly postShare?: number // of the requests, with a body of 64 KiB; 0.2 unless given
  readonly path?: string
  readonly timeoutMs?: number
}

export interface Ended {
  readonly id: string
  readonly method: string
  readonly status: number // 0: no answer
  readonly fault: string // '' with an answer
  readonly ms: number
  readonly at: number
}

export interface Traffic {
  readonly ended: readonly Ended[]
  readonly begun: number
  failures(): Ended[] // no answer, or one of 500 and more
  quantile(share: number, from?: number, to?: number): number // of the times, of requests begun in between
  stop(): Promise<void> // returns once all have ended
}

const body = Buffer.alloc(64 * 1024, 'x')

export function startTraffic(options: TrafficOptions): Traffic {
  const run = new Run(options)
  run.start()
  return run
}

class Run implements Traffic {
  readonly ended: Ended[] = []
  begun = 0
  private readonly options: TrafficOptions
  private readonly agent = new http.Agent({ keepAlive: true, maxSockets: 256 })
  private readonly prefix = Math.random().toString(36).slice(2)
  private timer: NodeJS.Timeout | null = null
  private startedAt = 0

  constructor(options: TrafficOptions) {
    this.options = options
  }

  start(): void {
    this.startedAt = performance.now()
    this.timer = setInterval(() => this.catchUp(), 5)
  }

  private catchUp(): void {
    const due = ((performance.now() - this.startedAt) / 1000) * this.options.perSecond
    while (this.begun < due) this.begin()
  }

  private begin(): void {
    const { port, path = '/', postShare = 0.2, timeoutMs = 20_000 } = this.options
    const id = `${this.prefix}-${this.begun++}`
    const isPost = this.begun % 100 < postShare * 100
    const method = isPost ? 'POST' : 'GET'
    const at = performance.now()
    const end = (status: number, fault: string): void => {
      this.ended.push({ id, method, status, fault, ms: performance.now() - at, at })
    }
    const headers = { 'X-Id': id, ...(isPost ? { 'Content-Length': body.length } : {}) }
    const request = http.request(
      { port, host: '127.0.0.1', path, method, headers, agent: this.agent, timeout: timeoutMs },
      (response) => {
        response.resume()
        response.on('end', () => end(response.statusCode ?? 0, ''))
        response.on('error', (fault) => end(0, fault.message))
      },
    )
    let failed = false
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
    request.on('error', (fault) => {
      if (!failed) end(0, fault.message)
      failed = true
    })
    request.end(isPost ? body : undefined)
  }

  failures(): Ended[] {
    return this.ended.filter(({ status }) => status === 0 || status >= 500)
  }

  quantile(share: number, from = 0, to = Infinity): number {
    const times = this.ended.filter(({ at }) => at >= from && at < to).map(({ ms }) => ms)
    times.sort((a, b) => a - b)
    return times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
  }

  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer)
    const until = performance.now() + 30_000
    while (this.ended.length < this.begun && performance.now() < until) await pause(20)
    this.agent.destroy()
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
