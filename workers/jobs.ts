// workers/jobs.ts: passwords that are checked beside the event loop: one job thread per worker, started when first needed.
//
// Owner:  the worker. A check of bcrypt takes 50 ms and more; a worker that computed it itself would serve nobody
//         meanwhile. Identical checks at one time are one job. The queue is bounded, and who leaves it costs nothing.
// Hot:    no; an object per check.
//
//   check -> waiting (at most WAITING_MAX) -> running (one) -> done of everybody who asked for the same

import type { Piscina } from 'piscina'
import type { PasswordVerdict } from '../core/middleware/crypto.ts'
import type { Cancel } from '../core/middleware/worker.ts'
import { tellDefect } from './socket.ts'

export const WAITING_MAX = 256 // with bcrypt of cost 10 some 15 s of work
const IDLE_MS = 30_000 // then the thread ends

export interface PasswordJob {
  readonly hash: string
  readonly password: string // latin1 bytes
}

interface Check extends PasswordJob {
  readonly key: string
  readonly asking: Set<PasswordVerdict>
}

// What runs a job; a test has its own.
export type RunJob = (job: PasswordJob) => Promise<boolean>

export class PasswordJobs {
  private readonly checks = new Map<string, Check>() // waiting and running, by their key
  private readonly waiting: Check[] = []
  private isRunning = false
  private readonly run: RunJob

  constructor(run: RunJob = runInThread()) {
    this.run = run
  }

  // `key` tells checks apart, and is no password. null: too many wait.
  check(key: string, job: PasswordJob, done: PasswordVerdict): Cancel | null {
    const known = this.checks.get(key) ?? this.enqueue(key, job)
    if (known === null) return null
    const mine: PasswordVerdict = (isRight, failed) => done(isRight, failed) // one of its own per request
    known.asking.add(mine)
    return () => {
      known.asking.delete(mine)
    }
  }

  private enqueue(key: string, { hash, password }: PasswordJob): Check | null {
    if (this.waiting.length >= WAITING_MAX) this.forgetAbandoned()
    if (this.waiting.length >= WAITING_MAX) return null
    const check = { key, hash, password, asking: new Set<PasswordVerdict>() }
    this.checks.set(key, check)
    this.waiting.push(check)
    if (!this.isRunning) this.begin()
    return check
  }

  private forgetAbandoned(): void {
    const wanted = this.waiting.filter((check) => check.asking.size > 0)
    for (const check of this.waiting) if (check.asking.size === 0) this.checks.delete(check.key)
    this.waiting.splice(0, this.waiting.length, ...wanted)
  }

  // In a turn of its own: whoever asked has not said yet that it waits.
  private begin(): void {
    this.isRunning = true
    setImmediate(() => void this.work())
  }

  // Never throws: whoever waits is told.
  private async work(): Promise<void> {
    for (let check = this.waiting.shift(); check !== undefined; check = this.waiting.shift()) {
      if (check.asking.size > 0) await this.workOff(check)
      else this.checks.delete(check.key)
    }
    this.isRunning = false
  }

  private async workOff({ key, hash, password, asking }: Check): Promise<void> {
    let isRight = false
    let failed = false
    try {
      isRight = await this.run({ hash, password })
    } catch (defect) {
      failed = true
      tellDefect(defect)
    }
    this.checks.delete(key)
    for (const done of asking) tell(done, isRight, failed)
  }
}

function tell(done: PasswordVerdict, isRight: boolean, failed: boolean): void {
  try {
    done(isRight, failed)
  } catch (defect) {
    tellDefect(defect)
  }
}

function runInThread(): RunJob {
  let pool: Promise<Piscina<PasswordJob, boolean>> | null = null
  return async (job) => {
    pool ??= startPool()
    return (await pool).run(job)
  }
}

async function startPool(): Promise<Piscina<PasswordJob, boolean>> {
  const { Piscina: Pool } = await import('piscina')
  return new Pool<PasswordJob, boolean>({
    filename: new URL('./job-thread.ts', import.meta.url).href,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: IDLE_MS,
    resourceLimits: { maxOldGenerationSizeMb: 64 },
  })
}
