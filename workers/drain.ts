// workers/drain.ts: how a worker ends: each entry point at its own pace.
//
//            SIGTERM             acceptGraceMs                       graceMs
//   SERVING ---------> LEAVING ---------------> CLOSING ----------------------------> CUT
//                  still accepts     listener closed; connections end   what is left is closed
//                                    after their exchange
//
// Owner:  the worker's main function. Hot: no. The worker has ended once every entry point has closed its
// listener and no connection is left.

import { timerMs } from '../core/timer-ms.ts'
import type { WorkerContext } from './context.ts'
import { whenDue } from './due.ts'
import type { EntryPoint } from './entry-point.ts'

export interface AcceptingEngine {
  listen(): Promise<void>
  close(): Promise<void> | void // done once it accepts no more
}

export interface OpenEntryPoint {
  readonly point: EntryPoint
  readonly listener: AcceptingEngine
}

const FAREWELL_MS = 1000 // for the frame under way, and for the other side to answer the close frame

export class Drain {
  private cut = 0 // connections that were closed while something was under way
  private readonly context: WorkerContext
  private readonly open: readonly OpenEntryPoint[]

  constructor(context: WorkerContext, open: readonly OpenEntryPoint[]) {
    this.context = context
    this.open = open
  }

  // Resolves with the number of connections that had to be cut.
  async run(): Promise<number> {
    await Promise.all(this.open.map((each) => this.leave(each)))
    await new Promise<void>((resolve) => this.context.whenEmpty(resolve))
    return this.cut
  }

  private async leave({ point, listener }: OpenEntryPoint): Promise<void> {
    const { acceptGraceMs, graceMs } = point.plan
    if (acceptGraceMs > 0)
      await new Promise((resolve) => setTimeout(resolve, timerMs(acceptGraceMs)))
    point.draining = true
    whenDue(graceMs, () => this.end(point))
    await listener.close()
  }

  // WebSockets have been told, and most have ended by themselves when the rest is closed.
  private end(point: EntryPoint): void {
    this.cut += point.cut(false)
    setTimeout(() => point.cut(true), FAREWELL_MS)
  }
}
