// workers/store/link.ts: whether a Redis can be asked now: its connection, the breaker in front of it, and what the log says.
//
// Owner:  whoever asks: a RedisLimitStore, or the RedisTier of a cache. Hot: no.
//
//   CONNECTING  questions may wait for the first connection
//   READY       questions are sent; when one is not answered in time the user says so: OPEN
//   OPEN        nothing is asked; a probe is sent now and then, and its answer leads back to READY
//   AWAY        there has been no connection yet: nothing is asked, it is tried again
//   IDLE        nobody has asked for minutes: the connection was closed; the next question opens one
//
// A connection that is lost while READY is not a state: the client refuses commands at once and reconnects by itself.

import type { StorePlan } from '../../core/rate/store.ts'
import { timerMs } from '../../core/timer-ms.ts'
import { type StoreClient, connectStore } from './client.ts'

type State = 'connecting' | 'ready' | 'open' | 'away' | 'idle'

const PROBE_MS = 250
const RETRY_MS = 500 // a first connection
const IDLE_MS = 5 * 60_000
const SAY_MS = 10_000 // between two lines of the log

export interface LinkUser {
  onConnected(client: StoreClient): void // the first time
  onLost(): void // whatever waits for an answer does so in vain
}

export class StoreLink {
  client: StoreClient | null = null
  private state: State = 'idle'
  private readonly plan: StorePlan
  private readonly asBytes: boolean // texts of answers
  private readonly user: LinkUser
  private readonly say: (message: string) => void
  private readonly place: string
  private watch: NodeJS.Timeout | null = null // probes, tries, or closes
  private askedAt = 0
  private probing = false
  private saidAt = -SAY_MS
  private wasAway = false // and the log says so

  // `say` writes a warning.
  constructor(plan: StorePlan, asBytes: boolean, user: LinkUser, say: (message: string) => void) {
    this.plan = plan
    this.asBytes = asBytes
    this.user = user
    this.say = say
    const nodes = plan.nodes.map(({ host, port }) => `${host}:${port}`).join(', ')
    this.place = `Redis (${plan.kind}) at ${nodes}`
  }

  // Before each question. False: it fails at once.
  mayAsk(now: number): boolean {
    this.open()
    this.askedAt = now
    return this.state !== 'open' && this.state !== 'away'
  }

  get isReady(): boolean {
    return this.state === 'ready'
  }

  // ---- the breaker

  // A question was not answered in time. While it is connecting the next ones fail at once as well, until there is a
  // connection. `key` is one of the node that is asked.
  tooLate(key: string): void {
    this.complain('no answer in time')
    if (this.state === 'ready') this.break(key)
    else if (this.state === 'connecting') this.state = 'away'
    this.user.onLost()
  }

  private break(key: string): void {
    this.state = 'open'
    this.every(PROBE_MS, () => this.probe(key))
  }

  private probe(key: string): void {
    if (this.probing || this.client === null) return
    this.probing = true
    this.client.run('probe', key, []).then(
      () => this.probed(true),
      () => this.probed(false),
    )
  }

  private probed(answers: boolean): void {
    this.probing = false
    if (!answers || this.state !== 'open') return
    this.ready()
  }

  // ---- the connection

  open(): void {
    if (this.state !== 'idle') return
    this.askedAt = performance.now()
    this.state = 'connecting'
    this.tryToConnect()
  }

  private tryToConnect(): void {
    connectStore(this.plan, this.asBytes, (fault) => this.connectionFault(fault)).then(
      (client) => this.connected(client),
      (fault: unknown) => {
        if (this.state === 'idle') return
        this.connectionFault(fault)
        this.later(RETRY_MS, () => this.tryToConnect())
      },
    )
  }

  private connectionFault(fault: unknown): void {
    this.failed(fault)
    if (this.state !== 'connecting') return
    this.state = 'away'
    this.user.onLost()
  }

  private connected(client: StoreClient): void {
    if (this.state === 'idle') return client.close() // closed meanwhile
    this.client = client
    this.ready()
    this.user.onConnected(client)
  }

  private ready(): void {
    this.state = 'ready'
    this.every(IDLE_MS, () => {
      if (performance.now() - this.askedAt > IDLE_MS) this.close()
    })
  }

  close(): void {
    if (this.watch !== null) clearInterval(this.watch)
    this.watch = null
    this.state = 'idle'
    this.client?.close()
    this.client = null
    this.user.onLost()
  }

  private every(ms: number, action: () => void): void {
    if (this.watch !== null) clearInterval(this.watch)
    this.watch = setInterval(action, timerMs(ms)).unref()
  }

  private later(ms: number, action: () => void): void {
    if (this.watch !== null) clearInterval(this.watch)
    this.watch = setTimeout(action, timerMs(ms)).unref()
  }

  // ---- the log

  failed(fault: unknown): void {
    this.complain(fault instanceof Error ? fault.message || fault.name : String(fault))
  }

  // One that refuses to write and answers reads would be away and back with every request.
  complain(reason: string): void {
    const now = performance.now()
    if (now - this.saidAt < SAY_MS) return
    this.saidAt = now
    this.wasAway = true
    this.say(`${this.place} can not be asked: ${reason.slice(0, 200)}`)
  }

  // An answer that is right.
  answered(): void {
    if (!this.wasAway) return
    this.wasAway = false
    this.say(`${this.place} answers again`)
  }
}
