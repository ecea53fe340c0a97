// test/certificates/name-server.ts: a small name server on loopback, over UDP and TCP: one zone, and updates that may
// have to be signed. It keeps what it was asked, and can be told to be slow, wrong or brief.

import dgram from 'node:dgram'
import net, { type AddressInfo } from 'node:net'
import { timingSafeEqual } from 'node:crypto'
import {
  A,
  ANSWER,
  ANY,
  CNAME,
  type DnsRecord,
  IN,
  NONE,
  NS,
  type Parsed,
  SOA,
  TRUNCATED,
  TSIG,
  TXT,
  decodeMessage,
  encodeMessage,
  encodeName,
  encodeRecord,
  shorts,
  textData,
  textOf,
} from '../../certificates/dns/message.ts'
import { type TsigKey, fieldsOf, macOf, moment, variables } from '../../certificates/dns/tsig.ts'

const AUTHORITATIVE = 0x0400
const REFUSED = 5
const NOTAUTH = 9
const NXDOMAIN = 3

export interface NameServerOptions {
  readonly zone: string
  readonly key?: TsigKey // updates without it are refused
  readonly isBrief?: boolean // every answer over UDP is cut
  readonly wrongSignature?: boolean
  readonly aliases?: Readonly<Record<string, string>>
}

export class NameServer {
  port = 0
  readonly texts = new Map<string, Set<string>>()
  updates = 0
  overTcp = 0
  hideTexts = 0 // so many more questions for texts are answered without any
  private readonly options: NameServerOptions
  private readonly udp = dgram.createSocket('udp4')
  private readonly tcp = net.createServer((socket) => this.serve(socket))

  constructor(options: NameServerOptions) {
    this.options = options
  }

  async listen(): Promise<this> {
    await new Promise<void>((done) => this.tcp.listen(0, '127.0.0.1', () => done()))
    this.port = (this.tcp.address() as AddressInfo).port
    this.udp.on('message', (bytes, { port, address }) => {
      const answer = this.answer(bytes)
      if (this.options.isBrief === true) answer.writeUInt16BE(answer.readUInt16BE(2) | TRUNCATED, 2)
      this.udp.send(answer, port, address)
    })
    await new Promise<void>((done) => this.udp.bind(this.port, '127.0.0.1', () => done()))
    return this
  }

  close(): void {
    this.udp.close()
    this.tcp.close()
  }

  private serve(socket: net.Socket): void {
    let held = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      held = Buffer.concat([held, chunk])
      if (held.length < 2 || held.length < 2 + held.readUInt16BE(0)) return
      this.overTcp++
      const answer = this.answer(held.subarray(2, 2 + held.readUInt16BE(0)))
      held = Buffer.alloc(0)
      // In two pieces, as networks do.
      socket.write(Buffer.concat([shorts(answer.length), answer.subarray(0, 5)]))
      setImmediate(() => socket.write(answer.subarray(5)))
    })
  }

  private answer(bytes: Buffer): Buffer {
    const message = decodeMessage(bytes)
    if (message.flags >> 11 === 5) return this.update(bytes, message)
    const question = message.questions[0]!
    const answers = this.recordsOf(question.name, question.type)
    const code = question.name.endsWith(this.options.zone) || answers.length > 0 ? 0 : NXDOMAIN
    const flags = ANSWER | AUTHORITATIVE | code
    return encodeMessage({ ...message, flags, answers, authority: [], additional: [] })
  }

  private recordsOf(name: string, type: number): DnsRecord[] {
    const { zone, aliases = {} } = this.options
    const make = (kind: number, data: Buffer): DnsRecord => ({
      name,
      type: kind,
      class: IN,
      ttl: 60,
      data,
    })
    const alias = aliases[name]
    if (alias !== undefined) return [make(CNAME, encodeName(alias))]
    if (name === zone && type === SOA)
      return [
        make(
          SOA,
          Buffer.concat([encodeName(`ns.${zone}`), encodeName(`x.${zone}`), Buffer.alloc(20)]),
        ),
      ]
    if (name === zone && type === NS) return [make(NS, encodeName(`ns.${zone}`))]
    if (name === `ns.${zone}` && type === A) return [make(A, Buffer.from([127, 0, 0, 1]))]
    if (type !== TXT) return []
    if (this.hideTexts > 0 && this.hideTexts-- > 0) return []
    return [...(this.texts.get(name) ?? [])].map((text) => make(TXT, textData(text)))
  }

  private update(bytes: Buffer, message: Parsed): Buffer {
    const { key, zone } = this.options
    const plain = (code: number) =>
      encodeMessage({
        ...message,
        flags: ANSWER | (5 << 11) | code,
        answers: [],
        authority: [],
        additional: [],
      })
    const signature = message.additional.at(-1)
    if (key === undefined) return plain(this.apply(message))
    if (signature?.type !== TSIG) return plain(REFUSED)
    if (message.questions[0]!.name !== zone || !this.isSigned(bytes, message, signature, key))
      return plain(NOTAUTH)
    return this.sign(plain(this.apply(message)), fieldsOf(signature.data).mac, key)
  }

  private apply(message: Parsed): number {
    this.updates++
    for (const { name, class: kind, type, data } of message.authority) {
      const texts = this.texts.get(name) ?? new Set<string>()
      this.texts.set(name, texts)
      if (type !== TXT) continue
      if (kind === IN) texts.add(textOf(data))
      else if (kind === NONE) texts.delete(textOf(data))
      else if (kind === ANY) texts.clear()
    }
    return 0
  }

  private isSigned(bytes: Buffer, message: Parsed, signature: DnsRecord, key: TsigKey): boolean {
    const fields = fieldsOf(signature.data)
    const body = Buffer.from(bytes.subarray(0, message.starts.at(-1)))
    body.writeUInt16BE(message.additional.length - 1, 10)
    const { seconds, fudge, error, other } = fields
    const mac = macOf(key, [body, variables(key, seconds, fudge, error, other)])
    return (
      mac.length === fields.mac.length &&
      timingSafeEqual(mac, fields.mac) &&
      signature.name === key.name
    )
  }

  private sign(answer: Buffer, requestMac: Buffer, key: TsigKey): Buffer {
    const seconds = Math.floor(Date.now() / 1000)
    const parts = [
      shorts(requestMac.length),
      requestMac,
      answer,
      variables(key, seconds, 300, 0, Buffer.alloc(0)),
    ]
    const mac = macOf(key, parts)
    if (this.options.wrongSignature === true) mac[0]! ^= 1
    const id = answer.readUInt16BE(0)
    const data = [
      encodeName(key.algorithm),
      moment(seconds),
      shorts(300, mac.length),
      mac,
      shorts(id, 0, 0),
    ]
    const record = { name: key.name, type: TSIG, class: ANY, ttl: 0, data: Buffer.concat(data) }
    const bytes = Buffer.concat([answer, encodeRecord(record)])
    bytes.writeUInt16BE(1, 10)
    return bytes
  }
}
