// test/support/faulty-origin.ts: a server that fails at random, and keeps a ledger of every request that reached it.
//
// A request has reached it as soon as its head is there: what it may have done from then on nobody knows.

import net, { type AddressInfo } from 'node:net'

export const faults = [
  'close before reading',
  'reset before reading',
  'reset after the head',
  'reset after the request',
  'half a head',
  'cut the body',
  'answer 503',
  'answer and close',
  'hang',
] as const
export type Fault = (typeof faults)[number]

export interface FaultyOrigin {
  readonly url: string
  readonly ledger: Map<string, number> // deliveries by the X-Id of a request
  readonly done: Map<Fault, number>
  stop(): Promise<void>
}

// `draw` says for each connection and request what happens; null: nothing bad.
export async function startFaultyOrigin(draw: () => Fault | null): Promise<FaultyOrigin> {
  const ledger = new Map<string, number>()
  const done = new Map<Fault, number>()
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    new Peer(socket, ledger, done, draw).accept()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ledger,
    done,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

class Peer {
  private readonly socket: net.Socket
  private readonly ledger: Map<string, number>
  private readonly done: Map<Fault, number>
  private readonly draw: () => Fault | null
  private received = ''
  private fault: Fault | null = null // of the request whose body is awaited
  private bodyLeft = -1 // -1: a head comes next
  private ended = false

  constructor(
    socket: net.Socket,
    ledger: Map<string, number>,
    done: Map<Fault, number>,
    draw: () => Fault | null,
  ) {
    this.socket = socket
    this.ledger = ledger
    this.done = done
    this.draw = draw
  }

  accept(): void {
    const fault = this.draw()
    if (fault === 'close before reading') return this.finish(fault, () => this.socket.destroy())
    if (fault === 'reset before reading')
      return this.finish(fault, () => this.socket.resetAndDestroy())
    this.socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1')
      while (!this.ended && this.step()) continue
    })
  }

  private finish(fault: Fault, end: () => void): void {
    this.ended = true
    this.done.set(fault, (this.done.get(fault) ?? 0) + 1)
    end()
  }

  // False: more bytes are needed.
  private step(): boolean {
    return this.bodyLeft < 0 ? this.takeHead() : this.takeBody()
  }

  private takeHead(): boolean {
    const end = this.received.indexOf('\r\n\r\n')
    if (end < 0) return false
    const head = this.received.slice(0, end + 2)
    this.received = this.received.slice(end + 4)
    const id = /^x-id: (.*)\r$/im.exec(head)![1]!
    this.ledger.set(id, (this.ledger.get(id) ?? 0) + 1)
    this.bodyLeft = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
    this.fault = this.draw()
    if (this.fault === 'reset after the head') {
      this.finish(this.fault, () => this.socket.resetAndDestroy())
      return false
    }
    return true
  }

  private takeBody(): boolean {
    if (this.received.length < this.bodyLeft) return false
    this.received = this.received.slice(this.bodyLeft)
    this.bodyLeft = -1
    this.answer(this.fault)
    return !this.ended
  }

  private answer(fault: Fault | null): void {
    const { socket } = this
    const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody'
    switch (fault) {
      case 'reset after the request':
        return this.finish(fault, () => socket.resetAndDestroy())
      case 'half a head':
        return this.finish(fault, () => socket.end(ok.slice(0, 20)))
      case 'cut the body':
        return this.finish(fault, () => socket.end(ok.slice(0, -2)))
      case 'answer and close':
        return this.finish(fault, () => socket.end(ok))
      case 'hang':
        return this.finish(fault, () => undefined)
      case 'answer 503':
        this.done.set(fault, (this.done.get(fault) ?? 0) + 1)
        socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n')
        return
      default:
        socket.write(ok)
    }
  }
}
