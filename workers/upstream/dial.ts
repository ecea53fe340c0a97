// workers/upstream/dial.ts: from the URL of a server to an open socket: names, addresses, races, timeouts.
//
// Owner:  one Dial per attempt to connect; it ends with exactly one call of `done`, or with none once it is cancelled.
//         Cold path.
//
// Names are resolved with the system's resolver and kept for dnsRefreshMs. A name that can no longer be
// resolved keeps its last good addresses. Several addresses race as RFC 8305 says: IPv6 and IPv4 in turn,
// 250 ms apart, and the first that opens wins.

import { lookup } from 'node:dns'
import { isIP } from 'node:net'
import type { TransportPlan } from '../../config/generation.ts'
import type { WorkerContext } from '../context.ts'
import { dialTcp, dialUnix } from '../dial-socket.ts'
import { whenDue } from '../due.ts'
import { type Socket, type SocketOwner, tellDefect } from '../socket.ts'

export interface Address {
  readonly host: string // no brackets; '' for a unix socket
  readonly port: number
  readonly path: string // of a unix socket
  readonly prefix: string // path of the URL without a slash at its end; used with preservePath
  readonly authority: string // what Host is when passHostHeader is off
  readonly secure: boolean
  readonly h2: boolean
}

// 'http://10.0.0.7:8080/base', 'https://[::1]', 'h2c://name:81', 'unix:///run/app.sock'
export function parseAddress(url: string): Address {
  if (url.startsWith('unix:')) {
    const path = url.slice(5).replace(/^\/\/(?=\/)/, '')
    return { host: '', port: 0, path, prefix: '', authority: 'localhost', secure: false, h2: false }
  }
  const parsed = new URL(url.replace(/^h2c:/, 'http:'))
  const secure = parsed.protocol === 'https:'
  const port = parsed.port === '' ? (secure ? 443 : 80) : Number(parsed.port)
  const host = parsed.hostname.replace(/^\[|\]$/g, '')
  const prefix = parsed.pathname.replace(/\/$/, '')
  return {
    host,
    port,
    path: '',
    prefix,
    authority: parsed.host,
    secure,
    h2: url.startsWith('h2c:'),
  }
}

const RACE_AFTER_MS = 250 // RFC 8305, section 5
const RACERS_MAX = 8

interface Known {
  addresses: string[]
  freshUntil: number
  waiting: ((addresses: string[]) => void)[] | null
}

// The names one worker has resolved. Bounded by the servers of the configuration.
export class Names {
  private readonly known = new Map<string, Known>()

  resolve(host: string, refreshMs: number, now: number, done: (addresses: string[]) => void): void {
    if (isIP(host) !== 0) return done([host])
    let entry = this.known.get(host)
    if (entry === undefined) {
      entry = { addresses: [], freshUntil: 0, waiting: null }
      this.known.set(host, entry)
    }
    const stale = now >= entry.freshUntil
    if (entry.addresses.length > 0) done(entry.addresses)
    else (entry.waiting ??= []).push(done)
    if (stale) this.refresh(host, entry, refreshMs, now)
  }

  private refresh(host: string, entry: Known, refreshMs: number, now: number): void {
    entry.freshUntil = now + Math.max(refreshMs, 1000) // one look-up at a time, and not more than one a second
    lookup(host, { all: true, verbatim: true }, (fault, found) => {
      if (fault === null && found.length > 0) entry.addresses = interleave(found)
      else entry.freshUntil = 0
      const waiting = entry.waiting
      entry.waiting = null
      if (waiting !== null) for (const done of waiting) done(entry.addresses)
    })
  }
}

// The two families in turn, the resolver's first choice first.
function interleave(found: readonly { address: string; family: number }[]): string[] {
  const first = found.filter((f) => f.family === found[0]!.family).map((f) => f.address)
  const second = found.filter((f) => f.family !== found[0]!.family).map((f) => f.address)
  const mixed: string[] = []
  for (let i = 0; i < Math.max(first.length, second.length); i++) {
    if (i < first.length) mixed.push(first[i]!)
    if (i < second.length) mixed.push(second[i]!)
  }
  return mixed
}

export type DialTimes = Pick<TransportPlan, 'dialTimeoutMs' | 'dnsRefreshMs'>

export class Dial {
  private readonly address: Address
  private readonly transport: DialTimes
  private readonly context: WorkerContext
  private readonly owner: SocketOwner | null
  private done: ((socket: Socket | null, fault: string) => void) | null
  private readonly racing: Socket[] = []
  private addresses: string[] = []
  private next = 0
  private raceTimer: NodeJS.Timeout | null = null
  private endTimer: NodeJS.Timeout | null = null

  constructor(
    address: Address,
    transport: DialTimes,
    context: WorkerContext,
    owner: SocketOwner | null,
    done: (socket: Socket | null, fault: string) => void,
  ) {
    this.address = address
    this.transport = transport
    this.context = context
    this.owner = owner
    this.done = done
  }

  start(): void {
    const { dialTimeoutMs, dnsRefreshMs } = this.transport
    if (dialTimeoutMs > 0)
      this.endTimer = whenDue(dialTimeoutMs, () => this.finish(null, 'TIMEOUT'))
    if (this.address.path !== '') {
      this.racing.push(
        dialUnix(this.owner, this.address.path, (socket, fault) => this.tried(socket, fault)),
      )
      return
    }
    this.context.names.resolve(
      this.address.host,
      dnsRefreshMs,
      this.context.sweeper.now,
      (addresses) => {
        if (this.done === null) return
        this.addresses = addresses.slice(0, RACERS_MAX)
        if (this.addresses.length === 0) this.finish(null, 'DNS')
        else this.tryNext()
      },
    )
  }

  // Nobody waits for it any more: `done` is not called.
  cancel(): void {
    this.done = null
    this.stopTimers()
    for (const socket of this.racing.splice(0)) socket.close()
  }

  private tryNext(): void {
    const address = this.addresses[this.next++]
    if (address === undefined || this.done === null) return
    if (this.raceTimer !== null) clearTimeout(this.raceTimer)
    if (this.next < this.addresses.length)
      this.raceTimer = setTimeout(() => this.tryNext(), RACE_AFTER_MS)
    const { port } = this.address
    this.racing.push(
      dialTcp(this.owner, address, port, (socket, fault) => this.tried(socket, fault)),
    )
  }

  private tried(socket: Socket, fault: number): void {
    if (this.done === null) return
    if (fault === 0) return this.finish(socket, '')
    this.racing.splice(this.racing.indexOf(socket), 1)
    socket.close()
    if (this.next < this.addresses.length) this.tryNext()
    else if (this.racing.length === 0) this.finish(null, 'REFUSED')
  }

  private stopTimers(): void {
    if (this.raceTimer !== null) clearTimeout(this.raceTimer)
    if (this.endTimer !== null) clearTimeout(this.endTimer)
  }

  private finish(winner: Socket | null, fault: string): void {
    const done = this.done
    if (done === null) return
    this.done = null
    this.stopTimers()
    for (const socket of this.racing) if (socket !== winner) socket.close()
    try {
      done(winner, fault)
    } catch (defect) {
      tellDefect(defect)
      winner?.close()
    }
  }
}
