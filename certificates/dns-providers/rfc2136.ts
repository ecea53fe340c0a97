// certificates/dns-providers/rfc2136.ts: a name server of the operator's own, by DNS UPDATE (RFC 2136), signed with
// TSIG (RFC 8945) when there is a key. Hot: no.

import { isIP } from 'node:net'
import { lookup } from 'node:dns/promises'
import { randomInt } from 'node:crypto'
import { type DnsServer, ask, exchange } from '../dns/exchange.ts'
import { parseServer, zoneBy } from '../dns/lookup.ts'
import {
  DnsError,
  type DnsRecord,
  IN,
  type Message,
  NONE,
  OPCODE_UPDATE,
  SOA,
  TXT,
} from '../dns/message.ts'
import { decodeMessage, encodeMessage, rcodeOf, textData } from '../dns/message.ts'
import { type TsigKey, signMessage, tsigKey, verifyAnswer } from '../dns/tsig.ts'
import type { DnsProvider, ProviderTools, TxtRecord } from './contract.ts'
import type { Environment } from './environment.ts'

export function rfc2136({ environment, now }: ProviderTools): DnsProvider {
  const server = parseServer(environment.needed('RFC2136_NAMESERVER'))
  const ttl = environment.number(120, 'RFC2136_TTL')
  const timeoutMs = environment.ms(10, 'RFC2136_DNS_TIMEOUT')
  const key = keyOf(environment)

  async function change(name: string, record: DnsRecord): Promise<void> {
    const at = await addressed(server)
    const zone = await zoneBy(name, (one) => ask(at, one, SOA, false, timeoutMs))
    const message: Message = {
      id: randomInt(65_536),
      flags: OPCODE_UPDATE << 11,
      questions: [{ name: zone, type: SOA, class: IN }],
      answers: [],
      authority: [record],
      additional: [],
    }
    const code = await send(at, message, key, timeoutMs, now)
    if (code !== 'NOERROR')
      throw new DnsError(`rfc2136: the server answered ${code} for zone ${zone}`)
  }

  return {
    ...environment.times('RFC2136', 60, 2),
    present: (record) => change(record.name, recordOf(record, IN, ttl)),
    // Class NONE: this value alone goes (2.5.4); another order may have one of the same name.
    cleanup: (record) => change(record.name, recordOf(record, NONE, 0)),
  }
}

function recordOf({ name, value }: TxtRecord, kind: number, life: number): DnsRecord {
  return { name, type: TXT, class: kind, ttl: life, data: textData(value) }
}

function keyOf(environment: Environment): TsigKey | null {
  const name = environment.text('RFC2136_TSIG_KEY')
  if (name === '') return null
  const secret = environment.needed('RFC2136_TSIG_SECRET')
  return tsigKey(name, environment.text('RFC2136_TSIG_ALGORITHM') || 'hmac-sha1', secret)
}

async function addressed(server: DnsServer): Promise<DnsServer> {
  if (isIP(server.host) !== 0) return server
  return { host: (await lookup(server.host)).address, port: server.port }
}

async function send(
  server: DnsServer,
  message: Message,
  key: TsigKey | null,
  timeoutMs: number,
  now: () => number,
): Promise<string> {
  if (key === null)
    return rcodeOf(decodeMessage(await exchange(server, encodeMessage(message), timeoutMs)))
  const { bytes, mac } = signMessage(message, key, now())
  const answer = await exchange(server, bytes, timeoutMs)
  verifyAnswer(answer, key, mac, now())
  return rcodeOf(decodeMessage(answer))
}
