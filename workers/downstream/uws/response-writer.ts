// workers/downstream/uws/response-writer.ts: writes one response by the calls that uWebSockets.js has for it.
//
// Owner:  a UwsDownstream, for life.
// Hot:    yes. A short answer is one corked callback with two calls in it.
//
//   known length, whole      writeStatus(head) end(body, close?)
//   known length, in pieces  writeStatus(head) tryEnd(piece, total) ... and from onWritable what was not taken
//   unknown length           writeStatus(head) write(piece) ... end()
//   no body                  writeStatus(head) endWithoutBody()
//
// Where the client's Connection line is "close" alone, uWebSockets.js closes behind the response, however it is
// sent. Else only end() can close the connection, and only a response that is in hand can be sent by one end(). In
// the other cases a connection that is not to be kept is told so and stays paused: what the client sends on is
// never read, and the client, or the idle timeout, closes. close() is for none of them: it throws away what is
// still in the cork, and the cork is not ours to empty while the handler of the request runs.

import { Buffer } from 'node:buffer'
import { BODY_LENGTH, SAW_CLOSE } from '../../../core/exchange.ts'
import type { Exchange } from '../../../core/exchange.ts'
import { statusPhrase } from '../../../core/h1/status.ts'
import type { ErrorFact } from '../../../core/errors.ts'
import { hasNoBody } from '../../../core/h1/response-fields.ts'
import type { HttpResponse } from './binding.ts'
import type { UwsDownstream } from './downstream.ts'
import { asWireBytes, headBlock } from './response-head.ts'
import type { Handshake } from './websocket-handshake.ts'

const CLOSE_LINE = '\r\nConnection: close'
const GATHER_BYTES_MAX = 64 * 1024 // a body that ends its connection is sent in one piece up to this
const UNKNOWN = -1
const nothing = Buffer.alloc(0)

// uWebSockets.js leaves what it has buffered to whoever has set onWritable: it goes out with the next write, or at the
// end of a cork. A server that has nothing to add for now would keep its last bytes from a slow client.
const drain = (): void => {}

// What the corked callback does.
const END = 0
const TRY_END = 1
const WRITE = 2
const LAST_CHUNK = 3
const END_WITHOUT_BODY = 4
type Act = 0 | 1 | 2 | 3 | 4

export class ResponseWriter {
  res: HttpResponse | null = null // null once it has ended or was aborted: a call would throw
  closing = false // the connection ends with this response
  bodyOpen = false // some of the request body is still to come
  blocked = false // the client is slow: bytes wait for onWritable
  private socketPaused = false
  private head = '' // until it goes out with the first bytes of the body
  private total = UNKNOWN // bytes of the body
  private isEmpty = false // no body by its nature: HEAD, 204, 304
  private saidClose = false
  private rest: Buffer | null = null // bytes that the kernel has not taken
  private offset = 0 // of the body: where the next bytes belong
  private gathered: Buffer[] | null = null
  private act: Act = END
  private bytes: Uint8Array = nothing
  private taken = false // result of TRY_END and WRITE
  private readonly onWritable: (offset: number) => boolean
  private readonly corked: () => void

  constructor(onWritable: (offset: number) => boolean) {
    this.onWritable = onWritable
    this.corked = () => this.perform()
  }

  reset(): void {
    this.res = null
    this.closing = false
    this.bodyOpen = false
    this.blocked = false
    this.socketPaused = false
    this.head = ''
    this.rest = null
    this.offset = 0
    this.gathered = null
  }

  pauseSocket(): void {
    if (this.socketPaused || this.res === null) return
    this.socketPaused = true
    this.res.pause()
  }

  resumeSocket(): void {
    if (!this.socketPaused || this.res === null) return
    this.socketPaused = false
    this.res.resume()
  }

  takeHead(exchange: Exchange): void {
    this.head = headBlock(exchange)
    this.total = exchange.responseKind === BODY_LENGTH ? exchange.responseLength : UNKNOWN
    this.isEmpty = hasNoBody(exchange.methodId, exchange.status)
    this.saidClose = (exchange.facts & SAW_CLOSE) !== 0
  }

  // False: no more until onWritable.
  send(bytes: Buffer, owned: boolean): boolean {
    if (this.res === null || bytes.length === 0) return true
    const { total } = this
    if (this.head !== '' && total !== UNKNOWN && total <= GATHER_BYTES_MAX) {
      if (bytes.length === total) {
        this.run(END, bytes)
        return true
      }
      if (this.closing) return this.gather(bytes)
    }
    this.run(total === UNKNOWN ? WRITE : TRY_END, bytes)
    if (this.taken) return true
    this.blocked = true
    if (total !== UNKNOWN) this.keepRest(bytes, owned)
    this.res.onWritable(this.onWritable)
    return false
  }

  private gather(bytes: Buffer): boolean {
    this.gathered ??= []
    this.gathered.push(Buffer.from(bytes))
    return true
  }

  // tryEnd has taken the body up to the write offset and kept nothing of the rest.
  private keepRest(bytes: Buffer, owned: boolean): void {
    const now = this.res!.getWriteOffset()
    const rest = bytes.subarray(now - this.offset)
    this.offset = now
    this.rest = owned ? rest : Buffer.from(rest)
  }

  // The client can take more. False: nobody waits for that, or not all of what was kept has gone.
  goOn(offset: number): boolean {
    const { rest, blocked } = this
    if (this.res === null) return true
    if (rest === null) this.res.cork(drain)
    else {
      this.rest = rest.subarray(offset - this.offset)
      this.offset = offset
      this.run(TRY_END, this.rest)
      if (!this.taken) return false
      this.rest = null
    }
    this.blocked = false
    return blocked
  }

  // A head of unknown length waits for the first bytes of its body: it can't be sent alone.
  flush(): void {
    if (this.head === '' || this.res === null || this.closing || this.isEmpty) return
    if (this.total > 0) this.run(TRY_END, nothing)
  }

  end(): void {
    if (this.res === null) return
    // tidy: one piece is what end() takes, and GATHER_BYTES_MAX bounds it
    if (this.gathered !== null) this.run(END, Buffer.concat(this.gathered))
    else if (this.head === '') this.run(LAST_CHUNK, nothing)
    else this.run(this.isEmpty ? END_WITHOUT_BODY : END, nothing)
  }

  // The response is a 101: from here on the connection is a WebSocket, which `owner` is told of at once.
  upgrade(owner: UwsDownstream, head: string, protocol: string, handshake: Handshake): void {
    const res = this.res!
    this.res = null
    res.cork(() => {
      res.writeStatus(asWireBytes(head))
      const { key, extensions, context } = handshake
      res.upgrade({ downstream: owner }, key, protocol, extensions, context)
    })
  }

  // The switch of protocols that the server has begun does not come about.
  refuseSwitch({ status, name }: ErrorFact): void {
    const res = this.res!
    this.res = null
    res.cork(() => {
      res.writeStatus(status + ' ' + statusPhrase(status))
      res.end(name + '\n', true)
    })
  }

  private run(act: Act, bytes: Uint8Array): void {
    this.act = act
    this.bytes = bytes
    this.res!.cork(this.corked)
    this.bytes = nothing
  }

  private perform(): void {
    const res = this.res!
    const { act, bytes } = this
    if (act === WRITE) {
      this.writeHead(res)
      this.taken = res.write(bytes)
    } else if (act === TRY_END) this.tryEnd(res, bytes)
    else this.finish(res, act, bytes)
  }

  private tryEnd(res: HttpResponse, bytes: Uint8Array): void {
    this.writeHead(res)
    if (this.offset + bytes.length >= this.total) this.readyConnection()
    const [ok, done] = res.tryEnd(bytes, this.total)
    this.taken = ok
    if (done) this.res = null
    else if (ok) this.offset += bytes.length
  }

  private finish(res: HttpResponse, act: Act, bytes: Uint8Array): void {
    const closes = act === END && this.canCloseNow()
    if (!closes) this.readyConnection()
    if (closes) this.writeHeadToClose(res)
    else this.writeHead(res)
    this.res = null
    if (act === LAST_CHUNK) res.end()
    else if (act === END) res.end(bytes, closes)
    else res.endWithoutBody() // given a closeConnection, it would invent a Content-Length
  }

  // With a body that is still arriving a close would reset the connection under the response.
  private canCloseNow(): boolean {
    return this.closing && !this.bodyOpen
  }

  // For what comes after this response on the connection: nothing, or requests that must be read.
  private readyConnection(): void {
    if (this.closing) this.pauseSocket()
    else this.resumeSocket()
  }

  private writeHead(res: HttpResponse): void {
    const { head } = this
    if (head === '') return
    this.head = ''
    res.writeStatus(asWireBytes(this.closing ? head + CLOSE_LINE : head))
  }

  // end() says "Connection: close" itself, but not to a client that has said it.
  private writeHeadToClose(res: HttpResponse): void {
    const { head } = this
    this.head = ''
    res.writeStatus(asWireBytes(this.saidClose ? head + CLOSE_LINE : head))
  }
}
