// core/middleware/http/mirror.ts: sends a share of the requests to another service too, whose answers nobody sees.
//
// Hot: yes, for routers and services that have one. The copy is sent when the exchange has ended, so that it takes
// nothing from it, or at once (`when: during`). Which requests are copied is counted, not drawn by lot: of any 100
// in a row exactly `percent` are. A service of kind `mirroring` is one of these for each of its mirrors.

import { BODY_LENGTH, SAW_UPGRADE, type Exchange, hasRequestBody } from '../../exchange.ts'
import { BodyKeeper, COLLECT, KEPT_MAX, TEE } from '../body-keeper.ts'
import { AGAIN, NEXT, RequestMiddleware } from '../contract.ts'
import type { MiddlewareContext, Verdict } from '../contract.ts'
import type { Counter, RequestShape, WorkerServices } from '../worker.ts'

export interface MirrorOptions {
  readonly service: string // qualified
  readonly percent: number
  readonly mirrorBody: boolean
  readonly maxBodySize: number // negative: KEPT_MAX
  readonly when: 'after' | 'during'
}

const noBody: readonly Uint8Array[] = []

export class Mirror extends RequestMiddleware {
  readonly kind = 'mirror'
  override readonly hasFinish = true
  private readonly options: MirrorOptions
  private readonly bodyMax: number
  private readonly worker: WorkerServices
  private readonly sent: Counter
  private readonly dropped: Counter
  private counted = 0 // hundredths, of requests since the last copy

  constructor(name: string, options: MirrorOptions, context: MiddlewareContext) {
    super(name)
    this.options = options
    this.bodyMax = options.maxBodySize < 0 ? KEPT_MAX : options.maxBodySize
    this.worker = context.worker
    const counter = (outcome: string): Counter =>
      context.worker.counter('sluice_mirrored_requests_total', {
        service: options.service,
        outcome,
      })
    this.sent = counter('sent')
    this.dropped = counter('dropped')
  }

  onRequest(exchange: Exchange): Verdict {
    const noted = exchange.notes?.has(this) === true // its body was collected meanwhile
    if (!noted && !this.takes(exchange)) return NEXT
    if (!noted) {
      const withBody = this.wantsBody(exchange)
      exchange.notes ??= new Map()
      exchange.notes.set(this, noteOf(exchange, withBody))
      if (withBody && this.keepBody(exchange)) return AGAIN
    }
    if (this.options.when === 'during' && this.isBodyHere(exchange)) this.send(exchange)
    return NEXT
  }

  override onFinish(exchange: Exchange): void {
    if (exchange.notes?.has(this) === true) this.send(exchange)
  }

  explain(_exchange: Exchange): string {
    const { service, percent, when } = this.options
    const time = when === 'after' ? 'after its answer' : 'at once'
    return `Sends a copy of ${percent} % of the requests to ${service}, ${time}.`
  }

  private takes(exchange: Exchange): boolean {
    if ((exchange.facts & SAW_UPGRADE) !== 0) return false
    this.counted += this.options.percent
    if (this.counted < 100) return false
    this.counted -= 100
    return exchange.bodyKind !== BODY_LENGTH || !this.wantsBody(exchange) || this.fits(exchange)
  }

  private fits(exchange: Exchange): boolean {
    if (exchange.bodyLength <= this.bodyMax) return true
    this.dropped.add(1)
    return false
  }

  private wantsBody(exchange: Exchange): boolean {
    return this.options.mirrorBody && hasRequestBody(exchange)
  }

  // True: the exchange waits for its whole body. One of unknown length is kept beside, and copied at the end.
  private keepBody(exchange: Exchange): boolean {
    const { keeper } = exchange
    if (keeper !== null) {
      if (!keeper.collects && keeper.bytes === 0)
        keeper.bytesMax = Math.max(keeper.bytesMax, this.bodyMax)
      return false
    }
    const atOnce = this.options.when === 'during' && exchange.bodyKind === BODY_LENGTH
    exchange.keeper = new BodyKeeper(this.bodyMax, atOnce ? COLLECT : TEE)
    return atOnce
  }

  private isBodyHere(exchange: Exchange): boolean {
    return !this.wantsBody(exchange) || exchange.keeper?.complete === true
  }

  private send(exchange: Exchange): void {
    const note = exchange.notes!.get(this) as Note
    exchange.notes!.delete(this)
    const { keeper } = exchange
    const isKept = keeper !== null && this.hasWhole(keeper)
    const pieces = note.withBody && isKept ? keeper.pieces : noBody
    const isWhole = isKept || !note.withBody
    const isSent = isWhole && this.worker.copyTo(this.options.service, exchange, note, pieces)
    if (isSent) this.sent.add(1)
    else this.dropped.add(1)
  }

  // Another middleware may have let it go on, or put it into a file.
  private hasWhole({ complete, overflowed, inFile, bytes }: BodyKeeper): boolean {
    return complete && !overflowed && !inFile && bytes <= this.bodyMax
  }
}

// What the request was when it came here; later middlewares and services may address it anew.
interface Note extends RequestShape {
  readonly withBody: boolean
}

function noteOf({ forwardHost, path, query, hasQuery }: Exchange, withBody: boolean): Note {
  return { forwardHost, path, query, hasQuery, withBody }
}
