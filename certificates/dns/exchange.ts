// certificates/dns/exchange.ts: one DNS message to one server and its answer: over UDP, and over TCP when the answer
// does not fit. What does not answer our question is dropped, as a stranger may send it. Hot: no.

import { Buffer } from 'node:buffer'
import { randomInt } from 'node:crypto'
import dgram from 'node:dgram'
import net from 'node:net'
import { timerMs } from '../../core/timer-ms.ts'
import { ANSWER, DnsError, IN, type Message, type Parsed, RECURSION_DESIRED } from './message.ts'
import { TRUNCATED, decodeMessage, encodeMessage } from './message.ts'

export interface DnsServer {
  readonly host: string // an address
  readonly port: number
}

const UDP_TRIES = 2
const MESSAGE_MAX = 65_535

export function serverText({ host, port }: DnsServer): string {
  return net.isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`
}

export async function ask(
  server: DnsServer,
  name: string,
  type: number,
  recursive: boolean,
  timeoutMs: number,
): Promise<Parsed> {
  const flags = recursive ? RECURSION_DESIRED : 0
  const questions = [{ name, type, class: IN }]
  const empty = { answers: [], authority: [], additional: [] }
  const message: Message = { id: randomInt(65_536), flags, questions, ...empty }
  return decodeMessage(await exchange(server, encodeMessage(message), timeoutMs))
}

// Gives the bytes, as a signature is over them.
export async function exchange(
  server: DnsServer,
  bytes: Buffer,
  timeoutMs: number,
): Promise<Buffer> {
  const tries = timeoutMs / UDP_TRIES
  for (let attempt = 0; attempt < UDP_TRIES && bytes.length <= 512; attempt++) {
    const answer = await overUdp(server, bytes, tries)
    if (answer === null) continue
    if ((answer.readUInt16BE(2) & TRUNCATED) === 0) return answer
    break
  }
  return overTcp(server, bytes, timeoutMs)
}

// Whether it answers what we asked: its number, its question.
function answers(question: Buffer, answer: Buffer): boolean {
  if (answer.length < 12 || answer.readUInt16BE(0) !== question.readUInt16BE(0)) return false
  if ((answer.readUInt16BE(2) & ANSWER) === 0) return false
  try {
    const [asked] = decodeMessage(question).questions
    const [told] = decodeMessage(answer).questions
    if (told === undefined) return true // servers that refuse may leave it out
    return asked?.name === told.name && asked.type === told.type
  } catch {
    return false
  }
}

// null when nothing came in time.
function overUdp(server: DnsServer, bytes: Buffer, timeoutMs: number): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket(net.isIP(server.host) === 6 ? 'udp6' : 'udp4')
    const end = () => {
      clearTimeout(timer)
      socket.close()
    }
    const timer = setTimeout(() => {
      end()
      resolve(null)
    }, timerMs(timeoutMs))
    socket.once('error', (fault) => {
      end()
      reject(new DnsError(`${serverText(server)}: ${fault.message}`))
    })
    socket.on('message', (answer) => {
      if (!answers(bytes, answer)) return
      end()
      resolve(answer)
    })
    // Connected: the kernel drops what other addresses send.
    socket.connect(server.port, server.host, () => socket.send(bytes))
  })
}

function overTcp(server: DnsServer, bytes: Buffer, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(server.port, server.host)
    let received = Buffer.alloc(0)
    const fail = (says: string) => {
      socket.destroy()
      reject(new DnsError(`${serverText(server)}: ${says}`))
    }
    socket.setTimeout(timerMs(timeoutMs), () => fail('no answer in time'))
    socket.once('error', (fault) => fail(fault.message))
    socket.once('close', () => fail('closed without an answer'))
    socket.once('connect', () => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(bytes.length)
      socket.write(Buffer.concat([length, bytes]))
    })
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      const length = received.length < 2 ? MESSAGE_MAX : received.readUInt16BE(0)
      if (received.length < 2 + length) return
      const answer = received.subarray(2, 2 + length)
      if (!answers(bytes, answer)) return fail('answers another question')
      socket.destroy()
      resolve(answer)
    })
  })
}
