// test/support/load.ts: steady traffic that notices every request that fails.
//
// A request fails when it was written and its whole response with the wanted status did not come back. That a
// connection which nothing was asked of is closed, or one whose last answer said "Connection: close", is no
// failure: the client opens another one. Nor is it one where the gateway may end a connection that has been quiet for a
// while, and this client was quiet for so long because its process stood still.

import { type RawClient, connectRaw } from './raw-client.ts'
import { StoodStill } from './stood-still.ts'
import { eventually } from './wait.ts'

export interface LoadOptions {
  readonly port: number
  readonly keepAlive?: number // clients that reuse their connection; 4 unless given
  readonly fresh?: number // clients with a connection per request; 2 unless given
  readonly target?: string
  readonly status?: number // wanted; 200 unless given
  readonly pauseMs?: number // of a client between two requests; 0 unless given
  readonly isGood?: (body: string) => boolean
  readonly quietMsMax?: number // after which a connection may be ended between two requests; never unless given
}

export interface Load {
  readonly done: number
  readonly closed: number // answers that said "Connection: close" to a keep-alive client
  readonly failures: readonly string[]
  readonly slowestMs: number
  untilMore(requests: number): Promise<void> // that many more from now
  stop(): Promise<void>
}

export function startLoad(options: LoadOptions): Load {
  const run = new Run(options)
  const { keepAlive = 4, fresh = 2 } = options
  const clients = [
    ...Array.from({ length: keepAlive }, () => run.keepAliveClient()),
    ...Array.from({ length: fresh }, () => run.freshClient()),
  ]
  return {
    get done() {
      return run.done
    },
    get closed() {
      return run.closed
    },
    failures: run.failures,
    get slowestMs() {
      return run.slowestMs
    },
    untilMore: (requests) => {
      const wanted = run.done + requests
      return eventually(`${requests} more requests`, () => run.done >= wanted, 20_000)
    },
    stop: async () => {
      run.stopping = true
      await Promise.all(clients)
      run.still.stop()
    },
  }
}

class Run {
  done = 0
  closed = 0
  slowestMs = 0
  stopping = false
  readonly failures: string[] = []
  private readonly options: LoadOptions
  readonly still = new StoodStill()

  constructor(options: LoadOptions) {
    this.options = options
  }

  async freshClient(): Promise<void> {
    while (!this.stopping) {
      const client = await this.connect()
      if (client !== null) {
        await this.ask(client, 'fresh', 'Connection: close\r\n')
        client.destroy()
      }
      await this.pause()
    }
  }

  async keepAliveClient(): Promise<void> {
    let client: RawClient | null = null
    let stillBefore = 0 // when the request before this one was sent
    while (!this.stopping) {
      if (client === null || client.ended || client.closed) client = await this.connect()
      const still = this.still.ms
      if (client !== null && !(await this.ask(client, 'keep-alive', '', stillBefore))) {
        client.destroy()
        client = null
      }
      stillBefore = still
      await this.pause()
    }
    client?.destroy()
  }

  private async connect(): Promise<RawClient | null> {
    try {
      return await connectRaw(this.options.port)
    } catch (fault) {
      this.failures.push(`connect: ${String(fault)}`)
      return null
    }
  }

  // Whether the connection can be used again.
  private async ask(
    client: RawClient,
    kind: string,
    headers: string,
    stillBefore = Infinity,
  ): Promise<boolean> {
    const { target = '/', status = 200, isGood } = this.options
    const from = performance.now()
    client.send(`GET ${target} HTTP/1.1\r\nHost: load.test\r\n${headers}\r\n`)
    try {
      const answer = await client.readResponse()
      const good = answer.status === status && (isGood === undefined || isGood(answer.body))
      if (good) this.done++
      else this.failures.push(`${kind}: status ${answer.status}: ${answer.body.slice(0, 80)}`)
      this.slowestMs = Math.max(this.slowestMs, performance.now() - from)
      if (answer.headers.get('connection') !== 'close') return good
      if (kind === 'keep-alive') this.closed++
      return false
    } catch (fault) {
      if (!this.wasQuiet(client, stillBefore))
        this.failures.push(`${kind}: ${String(fault).slice(0, 200)}`)
      return false
    }
  }

  // The connection has been used, was ended before a byte of this answer, and nothing could be said on it for a while.
  private wasQuiet(client: RawClient, stillBefore: number): boolean {
    const { quietMsMax = Infinity } = this.options
    const isUnanswered = client.receivedBytes > 0 && client.received === ''
    return isUnanswered && this.still.ms - stillBefore > quietMsMax * 0.9
  }

  private async pause(): Promise<void> {
    const { pauseMs = 0 } = this.options
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
