// workers/udp/socket.ts: one UDP socket, as thin as Node lets it be. The only file that knows its handles.
//
// Owner:  a UdpListener (the entry point's socket) or a UdpSession (connected to a server).
// Memory: each datagram comes in a buffer of its own, which is sent on without a copy.
// Hot:    yes, one receive and one send per datagram.
//
// Why not node:dgram: its send() looks names up, even of addresses, and takes a turn for it.

import type { Buffer } from 'node:buffer'
import { isIPv6 } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { systemBinding } from '../handles.ts'
import { tellDefect } from '../socket.ts'

interface RemoteInfo {
  readonly address: string
  readonly port: number
}

interface UdpHandle {
  socket: UdpSocket | null
  onmessage: (count: number, handle: UdpHandle, bytes: Buffer, from: RemoteInfo) => void
  bind(address: string, port: number, flags: number): number
  bind6(address: string, port: number, flags: number): number
  connect(address: string, port: number): number
  connect6(address: string, port: number): number
  send(request: SendRequest, list: Buffer[], count: number, ...to: unknown[]): number
  send6(request: SendRequest, list: Buffer[], count: number, ...to: unknown[]): number
  recvStart(): number
  getsockname(out: { address?: string; port?: number }): number
  getSendQueueSize(): number
  readonly fd: number
  close(): void
}

interface SendRequest {
  list: Buffer[] // libuv holds bare pointers: the memory lives as long as its send
}

const { UDP, SendWrap, constants } = systemBinding('udp_wrap') as {
  UDP: new () => UdpHandle
  SendWrap: new () => SendRequest
  constants: { UV_UDP_REUSEPORT: number }
}

const SEND_QUEUE_BYTES_MAX = 1024 * 1024 // of one socket; then datagrams are dropped, as a network does

let spareRequest = new SendWrap()
let spareList: Buffer[] = []

export interface UdpOwner {
  onDatagram(bytes: Buffer, address: string, port: number): void
  onFault(reason: string): void // 'ECONNREFUSED'; the socket is still open
}

export class UdpSocket {
  owner: UdpOwner | null
  private readonly handle = new UDP()
  private readonly wide: boolean // IPv6, mapped IPv4 too
  private closed = false
  private hasQueued = false // datagrams may wait for the kernel
  wasRefused = false // the last send failed because a datagram before it had met nobody

  constructor(owner: UdpOwner, wide: boolean) {
    this.owner = owner
    this.wide = wide
    this.handle.socket = this
    Object.assign(this.handle, { onmessage: onMessage }) // a property of the handle, not a DOM event
  }

  // '' or the name of what went wrong. Several sockets may have one address: the kernel spreads clients over them.
  bind(address: string, port: number): string {
    const { handle } = this
    const flags = constants.UV_UDP_REUSEPORT
    // tidy: the handle's own bind, which takes an address
    const fault = this.wide ? handle.bind6(address, port, flags) : handle.bind(address, port, flags)
    return this.started(fault)
  }

  // From here on only datagrams of that address are received.
  connect(address: string, port: number): string {
    const { handle } = this
    return this.started(this.wide ? handle.connect6(address, port) : handle.connect(address, port))
  }

  private started(fault: number): string {
    const last = fault === 0 ? this.handle.recvStart() : fault
    return last === 0 ? '' : getSystemErrorName(last)
  }

  get descriptor(): number {
    return this.handle.fd
  }

  get port(): number {
    const out: { port?: number } = {}
    this.handle.getsockname(out)
    return out.port ?? 0
  }

  // False: it was dropped. The bytes must not change afterwards.
  send(bytes: Buffer, address: string, port: number): boolean {
    if (this.closed || this.isFull()) return false
    const { handle } = this
    spareList[0] = bytes
    return this.sent(
      this.wide
        ? handle.send6(spareRequest, spareList, 1, port, address, false)
        : handle.send(spareRequest, spareList, 1, port, address, false),
    )
  }

  // The same on a connected socket.
  sendOn(bytes: Buffer): boolean {
    if (this.closed || this.isFull()) return false
    spareList[0] = bytes
    return this.sent(this.handle.send(spareRequest, spareList, 1, false))
  }

  private isFull(): boolean {
    if (!this.hasQueued) return false
    const size = this.handle.getSendQueueSize()
    this.hasQueued = size > 0
    return size > SEND_QUEUE_BYTES_MAX
  }

  // Nearly every datagram is sent at once, and then libuv has not kept the request: the next one wears it again.
  private sent(fault: number): boolean {
    if (fault === 0) {
      this.hasQueued = true
      spareRequest.list = spareList
      spareRequest = new SendWrap()
      spareList = []
    } else {
      spareList.length = 0
      if (fault < 0) this.wasRefused = getSystemErrorName(fault) === 'ECONNREFUSED'
    }
    return fault >= 0
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.owner = null
    this.handle.close()
  }
}

function onMessage(
  this: UdpHandle,
  count: number,
  _handle: UdpHandle,
  bytes: Buffer,
  from: RemoteInfo,
): void {
  const owner = this.socket === null ? null : this.socket.owner
  if (owner === null) return
  try {
    if (count >= 0) owner.onDatagram(bytes, from.address, from.port)
    else owner.onFault(getSystemErrorName(count))
  } catch (defect) {
    tellDefect(defect) // this datagram is lost, the worker goes on
  }
}

export function isWide(address: string): boolean {
  return isIPv6(address)
}
