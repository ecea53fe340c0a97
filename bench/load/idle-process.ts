// bench/load/idle-process.ts: opens many connections, lets each be answered once, then holds them all.
//
// Opened 64 at a time, so that the peer needs no more upstream connections than under load. Prints one line when
// all are held and lives until it is ended; exits 1 with a reason when one is lost.

import net from 'node:net'
import { requestBytes, smallRequest } from './contract.ts'

const port = Number(process.argv[2])
const connectionsMax = Number(process.argv[3])
const wire = requestBytes(smallRequest, false)
const AT_ONCE = 64

let opened = 0
let answered = 0

function openNext(): void {
  if (opened === connectionsMax) return
  opened++
  let text = ''
  const socket = net.connect({ port, host: '127.0.0.1' }, () => socket.write(wire))
  socket.on('error', (error) => lose(error.message))
  socket.on('close', () => lose('closed by the peer'))
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
    const length = /\r\ncontent-length:[ \t]*(\d+)/i.exec(text)
    const end = text.indexOf('\r\n\r\n')
    if (end < 0 || length === null || text.length < end + 4 + Number(length[1])) return
    if (!text.startsWith('HTTP/1.1 200')) lose(text.slice(0, 40))
    text = ''
    onAnswer()
  })
}

function onAnswer(): void {
  answered++
  if (answered === connectionsMax) process.stdout.write('holding\n')
  openNext()
}

function lose(reason: string): void {
  process.stderr.write(
    `connection lost after ${answered} of ${connectionsMax} answers: ${reason}\n`,
  )
  process.exit(1)
}

for (let i = 0; i < AT_ONCE; i++) openNext()
