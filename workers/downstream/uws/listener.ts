// workers/downstream/uws/listener.ts: accepts the connections of one entry point by uWebSockets.js, for one worker.
//
// Owner:  the worker. Connections are counted by a filter, because uWebSockets.js does not name them; so a
//         drain can't end the idle ones one by one: it closes all of them once nothing has been in flight for
//         a while.
// Hot:    onRequest, once per request.

import { setTimeout as pause } from 'node:timers/promises'
import { SHED_CONNECTIONS } from '../../../core/errors.ts'
import type { TlsFacts } from '../../../core/exchange.ts'
import type { EntryPoint } from '../../entry-point.ts'
import { tellDefect } from '../../socket.ts'
import type { EntryPointBounds } from '../contract.ts'
import { type App, type HttpResponse, type ListenSocket, type Uws, loadUws } from './binding.ts'
import { UwsDownstream } from './downstream.ts'
import { listeningDescriptors, setOnSockets } from './descriptor.ts'
import { Peers } from './peers.ts'
import { SecureApps } from './secure-apps.ts'
import { webSockets } from './websocket-behavior.ts'

const DRAIN_QUIET_MS = 1000
// For connections that were waiting already, and for the children of other workers to end: see descriptor.ts.
const SHORT_QUEUE_MS = 150
const LAST_ACCEPT_MS = 70
// The kernel doubles it for its own overhead, so that at the most 512 KiB wait to be read. uWebSockets.js reads
// again and again, pause or not, as long as a read fills its buffer of 512 KiB: with this none does, and a
// pause holds at once. The price is the speed of an upload over a long way: 256 KiB per round trip.
const RECEIVE_BUFFER_BYTES = 256 * 1024
const SPARE_MAX = 4096
export const HEADER_COUNT_MAX = 98 // compiled in

export class UwsListener {
  sweepIndex = -1
  inFlight = 0
  cutting = false // graceTimeOut is over: it is us who close
  readonly point: EntryPoint
  readonly bounds: EntryPointBounds
  readonly peers = new Peers()
  private uws: Uws | null = null
  private app: App | null = null // the one that listens
  private secure: SecureApps | null = null // of an entry point with TLS
  private socket: ListenSocket | null = null
  private readonly spare: UwsDownstream[] = []
  private readonly relays = new Set<UwsDownstream>() // WebSockets
  private quietSince = 0 // while it drains; 0: something has come since the last tick
  private closesAtAccept = false
  private descriptors: number[] = [] // of the listening socket; none where they can't be found

  constructor(point: EntryPoint) {
    this.point = point
    const headerCountMax = Math.min(point.bounds.headerCountMax, HEADER_COUNT_MAX)
    this.bounds = { ...point.bounds, headerCountMax }
  }

  async listen(): Promise<void> {
    this.uws = await loadUws()
    const app = this.point.plan.tls ? this.secureApp(this.uws) : this.clearApp(this.uws)
    this.app = app
    const before = listeningDescriptors(this.point.plan.port)
    const bound = this.bind(app) // at once: what it made can be told by what is new
    const after = listeningDescriptors(this.point.plan.port)
    this.socket = await bound
    this.descriptors = after.filter((descriptor) => !before.includes(descriptor))
    await setOnSockets(this.descriptors, 'receive-buffer', RECEIVE_BUFFER_BYTES)
    this.point.context.sweeper.add(this)
    // A thread that ends with an open socket of uWebSockets.js takes the whole process with it.
    process.once('exit', () => this.closeAll())
  }

  private clearApp(uws: Uws): App {
    const app = uws.App()
    app.filter((response, change) => {
      if (change < 0) this.connectionLeft()
      else this.connectionCame(response)
    })
    this.attach(app, null, () => this.connectionLeft())
    return app
  }

  private secureApp(uws: Uws): App {
    const { context } = this.point
    const secure = new SecureApps(uws, this)
    secure.adopt(context.generation.tls!)
    this.secure = secure
    context.certificateKeepers.push(secure)
    return secure.acceptor
  }

  // `left`: the filter of an app is told of the end of HTTP connections, not of WebSockets.
  attach(app: App, tls: TlsFacts | null, left: () => void): void {
    app.get('/*', (response, request) => this.lease(tls).take(response, request, 'GET', null))
    app.any('/*', (response, request) => this.lease(tls).take(response, request, '', null))
    app.ws('/*', webSockets(this, this.uws!, tls, left))
  }

  lease(tls: TlsFacts | null): UwsDownstream {
    const downstream = this.spare.pop() ?? new UwsDownstream(this)
    downstream.tls = tls
    return downstream
  }

  private bind(app: App): Promise<ListenSocket> {
    const { host, port } = this.point.plan
    return new Promise((resolve, reject) => {
      const done = (socket: ListenSocket | false) => {
        if (socket !== false) return resolve(socket)
        reject(new Error(`cannot listen on ${host === '' ? '*' : host}:${port}`))
      }
      if (host === '') app.listen(port, done)
      else app.listen(host, port, done)
    })
  }

  connectionLeft(): void {
    this.point.connectionLeft()
  }

  connectionCame(response: HttpResponse): void {
    if (this.closesAtAccept) this.closeSocket()
    this.quietSince = 0
    this.peers.connectionFrom(response.getRemoteAddress())
    this.point.connectionCame()
    if (this.point.connections <= this.point.bounds.connectionsMax) return
    this.point.context.countError(SHED_CONNECTIONS)
    response.close()
  }

  exchangeBegan(): void {
    this.inFlight++
    this.quietSince = 0
  }

  exchangeEnded(): void {
    this.inFlight--
  }

  takeBack(downstream: UwsDownstream): void {
    if (this.spare.length < SPARE_MAX) this.spare.push(downstream)
  }

  defect(defect: unknown): void {
    tellDefect(defect)
  }

  abandon(): void {} // its tick only counts; there is nothing to end

  relayOpened(downstream: UwsDownstream): void {
    this.relays.add(downstream)
  }

  relayClosed(downstream: UwsDownstream): void {
    this.relays.delete(downstream)
  }

  onTick(now: number): void {
    for (const downstream of this.relays) downstream.onTick(now)
    this.secure?.onTick(now)
    if (!this.point.draining || this.app === null) return
    if (this.inFlight > 0 || this.quietSince === 0) this.quietSince = now
    else if (now - this.quietSince > DRAIN_QUIET_MS) this.closeAll()
  }

  cut(): number {
    const busy = this.inFlight
    this.cutting = true
    for (const downstream of this.relays) downstream.relay?.goAway()
    this.closeAll()
    return busy
  }

  private closeAll(): void {
    const { app } = this
    if (app === null) return
    this.point.context.sweeper.remove(this)
    this.app = null
    this.socket = null // closed with the rest
    if (this.secure === null) app.close()
    else this.secure.close()
  }

  // Stops to accept; what is in flight goes on. Why the queue is made short first, and why the listener closes
  // in the moment after it has accepted: see Listener.close of the `node` engine.
  async close(): Promise<void> {
    await setOnSockets(this.descriptors, 'backlog', 0)
    await pause(SHORT_QUEUE_MS)
    this.closesAtAccept = true
    await pause(LAST_ACCEPT_MS)
    this.closeSocket()
  }

  private closeSocket(): void {
    if (this.socket !== null) this.uws?.us_listen_socket_close(this.socket)
    this.socket = null
  }
}
