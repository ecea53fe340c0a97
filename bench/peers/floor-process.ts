// bench/peers/floor-process.ts: what forwarding a request costs in Node when nothing is checked: node:net on both
// sides, heads split once, bodies by Content-Length forwarded as they come. Never a gateway: it trusts everybody.
//
// One client connection uses one upstream connection at a time; it goes back to the idle list when the answer is over.

import net from 'node:net'

const [listenPort, originPort] = process.argv.slice(2).map(Number)
const readBuffer = Buffer.allocUnsafeSlow(65_536)
const idle: Upstream[] = []
const LENGTH = /\r\ncontent-length:[ \t]*(\d+)/i
const HOP_BY_HOP = /\r\n(?:connection|keep-alive):[^\r]*/gi
const CLOSES = /\r\nconnection:[ \t]*close/i

class Half {
  rest = '' // of a head that has not ended
  bodyLeft = 0

  // Splits bytes into one head and the body bytes behind it; null while the head has not ended.
  readHead(bytes: Buffer, count: number): { head: string; bodyAt: number } | null {
    const text = this.rest + bytes.toString('latin1', 0, count)
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) {
      this.rest = text
      return null
    }
    const bodyAt = end + 4 - this.rest.length
    this.rest = ''
    this.bodyLeft = Number(LENGTH.exec(text.slice(0, end + 2))?.[1] ?? 0)
    return { head: text.slice(0, end), bodyAt }
  }
}

// One string for a small message; a large body is copied once, because the read buffer is everybody's.
const SMALL_BYTES = 2048

function writeBoth(socket: net.Socket, head: string, body: Buffer): void {
  if (body.length <= SMALL_BYTES) {
    socket.write(head + body.toString('latin1'), 'latin1')
    return
  }
  socket.cork()
  socket.write(head, 'latin1')
  socket.write(Buffer.from(body))
  socket.uncork()
}

class Upstream extends Half {
  client: Client | null = null
  socket: net.Socket

  constructor() {
    super()
    const onread = {
      buffer: readBuffer,
      callback: (count: number, bytes: Uint8Array) => {
        this.onBytes(bytes as Buffer, count)
        return true
      },
    }
    const target = { port: originPort ?? 0, host: '127.0.0.1', noDelay: true, onread }
    this.socket = net.connect(target)
    this.socket.on('error', () => {})
    this.socket.on('drain', () => this.client?.socket.resume())
    this.socket.on('close', () => this.onClose())
  }

  onClose(): void {
    const index = idle.indexOf(this)
    if (index >= 0) idle.splice(index, 1)
    this.client?.socket.destroy()
  }

  onBytes(bytes: Buffer, count: number): void {
    const client = this.client
    if (client === null) {
      this.socket.destroy()
      return
    }
    if (this.bodyLeft > 0) {
      this.forward(client, Buffer.from(bytes.subarray(0, count)))
      return
    }
    const found = this.readHead(bytes, count)
    if (found === null) return
    const close = client.isClosing ? '\r\nConnection: close' : ''
    const head = `${found.head.replace(HOP_BY_HOP, '')}${close}\r\n\r\n`
    const body = count - found.bodyAt
    writeBoth(client.socket, head, bytes.subarray(found.bodyAt, count))
    this.onForwarded(client, body)
  }

  // A slow client pauses the upstream until its buffer has drained.
  forward(client: Client, bytes: Buffer): void {
    if (!client.socket.write(bytes)) this.socket.pause()
    this.onForwarded(client, bytes.length)
  }

  onForwarded(client: Client, bytes: number): void {
    this.bodyLeft -= bytes
    if (this.bodyLeft > 0) return
    this.client = null
    client.upstream = null
    this.socket.resume()
    idle.push(this)
    if (client.isClosing) client.socket.end()
  }
}

class Client extends Half {
  socket: net.Socket
  upstream: Upstream | null = null
  isClosing = false

  constructor(socket: net.Socket) {
    super()
    this.socket = socket
  }

  onBytes(bytes: Buffer): void {
    if (this.bodyLeft > 0) {
      this.bodyLeft -= bytes.length
      if (this.upstream?.socket.write(bytes) === false) this.socket.pause()
      return
    }
    const found = this.readHead(bytes, bytes.length)
    if (found === null) return
    this.isClosing = CLOSES.test(found.head)
    const upstream = idle.pop() ?? new Upstream()
    upstream.client = this
    this.upstream = upstream
    const head = `${found.head.replace(HOP_BY_HOP, '')}\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n`
    this.bodyLeft -= bytes.length - found.bodyAt
    writeBoth(upstream.socket, head, bytes.subarray(found.bodyAt))
  }
}

const server = net.createServer({ noDelay: true }, (socket) => {
  const client = new Client(socket)
  socket.on('data', (bytes: Buffer) => client.onBytes(bytes))
  socket.on('drain', () => client.upstream?.socket.resume())
  socket.on('error', () => {})
  socket.on('close', () => client.upstream?.socket.destroy())
})
server.listen({ port: listenPort ?? 0, host: '127.0.0.1', backlog: 4096 })
