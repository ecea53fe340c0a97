// workers/health/checks.ts: asks servers whether they are well: once per process, in the supervisor's thread.
//
// Owner:  the gateway. A check lives as long as a generation has its key, which says all that defines it: a reload
//         that changes nothing of a server neither forgets its state nor asks it more often.
// Hot:    no. Workers are told the keys that are down, all of them, when that list has changed.
//
// What a check asks is its protocol's matter (workers/tcp/health.ts). A server counts as up until it has failed.

import { timerMs } from '../../core/timer-ms.ts'

export interface HealthTarget {
  readonly key: string // healthKey()
  readonly service: string
  readonly address: string
  readonly intervalMs: number // while it is up
  readonly unhealthyIntervalMs: number // while it is down
  // Calls `done` once, within the time-out of the check: '' or what was wrong.
  readonly probe: (done: (fault: string) => void) => void
  readonly passed: (() => void) | null // told of each check that finds it well
}

export interface HealthState {
  readonly service: string
  readonly address: string
  readonly up: boolean
}

export interface HealthLog {
  info(message: string): void
  warn(message: string): void
}

// A step of a probe, which fails by what is thrown: Node's clients throw for what they refuse to send, and out of the
// event of a socket that would end the process.
export function tryStep(step: () => void, fail: (fault: string) => void): void {
  try {
    step()
  } catch (fault) {
    fail(fault instanceof Error ? fault.message : String(fault))
  }
}

const INTERVAL_MIN_MS = 100 // whatever is configured: a check is not an attack
const PROBES_MAX = 128 // at once; of thousands of servers the others wait their turn

class Check {
  target: HealthTarget
  up = true
  stopped = false
  private timer: NodeJS.Timeout | null = null

  constructor(target: HealthTarget) {
    this.target = target
  }

  // Until it is due again.
  rest(due: (check: Check) => void): void {
    const { intervalMs, unhealthyIntervalMs } = this.target
    const wait = Math.max(INTERVAL_MIN_MS, this.up ? intervalMs : unhealthyIntervalMs)
    this.timer = setTimeout(() => due(this), timerMs(wait))
    this.timer.unref()
  }

  stop(): void {
    this.stopped = true
    if (this.timer !== null) clearTimeout(this.timer)
  }
}

export class HealthChecks {
  private readonly checks = new Map<string, Check>()
  private readonly tell: (down: readonly string[]) => void
  private readonly log: HealthLog
  private readonly due: Check[] = [] // at the most all of them
  private probing = 0
  private telling = false // is planned
  private downServers: ReadonlySet<string> = new Set() // 'service address', as last told

  constructor(tell: (down: readonly string[]) => void, log: HealthLog) {
    this.tell = tell
    this.log = log
  }

  // What is to be checked from now on.
  use(targets: readonly HealthTarget[]): void {
    const wanted = new Map(targets.map((target) => [target.key, target]))
    for (const [key, check] of this.checks) {
      if (wanted.has(key)) continue
      check.stop()
      this.checks.delete(key)
      if (!check.up) this.tellSoon()
    }
    for (const [key, target] of wanted) {
      const known = this.checks.get(key)
      // The same check, with the transport as it is now.
      if (known !== undefined) known.target = target
      else this.begin(target)
    }
  }

  private begin(target: HealthTarget): void {
    const check = new Check(target)
    this.checks.set(target.key, check)
    this.enqueue(check)
  }

  private readonly enqueue = (check: Check): void => {
    this.due.push(check)
    this.probeNext()
  }

  private probeNext(): void {
    while (this.probing < PROBES_MAX) {
      const check = this.due.shift()
      if (check === undefined) return
      if (!check.stopped) this.probe(check)
    }
  }

  private probe(check: Check): void {
    let isDone = false
    this.probing++
    const done = (fault: string): void => {
      if (isDone) return
      isDone = true
      this.probing--
      if (!check.stopped) {
        this.settle(check, fault)
        check.rest(this.enqueue)
      }
      this.probeNext()
    }
    tryStep(() => check.target.probe(done), done)
  }

  private settle(check: Check, fault: string): void {
    const up = fault === ''
    if (up) check.target.passed?.()
    if (up === check.up) return
    check.up = up
    const { service, address } = check.target
    if (up) this.log.info(`server ${address} of ${service} is up again`)
    else this.log.warn(`server ${address} of ${service} is down: ${fault}`)
    this.tellSoon()
  }

  // Many that change together are one message.
  private tellSoon(): void {
    if (this.telling) return
    this.telling = true
    setImmediate(() => {
      this.telling = false
      const down = [...this.checks.values()].filter((check) => !check.up)
      this.downServers = new Set(down.map((c) => `${c.target.service} ${c.target.address}`))
      this.tell(this.down)
    })
  }

  get down(): string[] {
    return [...this.checks.values()].filter((c) => !c.up).map((c) => c.target.key)
  }

  // A server that nobody checks may be asked.
  isUp(service: string, address: string): boolean {
    return !this.downServers.has(`${service} ${address}`)
  }

  // A server that several services name is one line for each.
  get states(): HealthState[] {
    return [...this.checks.values()].map(({ target, up }) => {
      return { service: target.service, address: target.address, up }
    })
  }

  stop(): void {
    for (const check of this.checks.values()) check.stop()
    this.checks.clear()
  }
}
