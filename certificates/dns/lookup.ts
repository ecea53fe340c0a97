// certificates/dns/lookup.ts: questions to resolvers and to the servers of a zone: where a name really lies, whose
// zone it is in, and what each server says of it. Hot: no.

import { getServers } from 'node:dns'
import net from 'node:net'
import { type DnsServer, ask, serverText } from './exchange.ts'
import { A, AAAA, CNAME, DnsError, NS, type Parsed, SOA, TXT, rcodeOf, textOf } from './message.ts'

const TIMEOUT_MS = 10_000
const CNAMES_MAX = 10
const SERVERS_MAX = 16

// '1.1.1.1:53', '1.1.1.1', '[2606::1]:53', '2606::1'.
export function parseServer(text: string, port = 53): DnsServer {
  if (net.isIP(text) !== 0) return { host: text, port }
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2] ?? ''
  if (host === '') throw new DnsError(`${JSON.stringify(text)} is no address of a server`)
  return { host, port: match?.[3] === undefined ? port : Number(match[3]) }
}

// Of the configuration, else those of the machine.
export function resolversOf(configured: readonly string[]): DnsServer[] {
  const all = configured.length > 0 ? configured : getServers()
  return all.map((one) => parseServer(one))
}

export class Lookup {
  private readonly resolvers: readonly DnsServer[]
  private readonly authoritativePort: number

  constructor(resolvers: readonly DnsServer[], authoritativePort = 53) {
    this.resolvers = resolvers
    this.authoritativePort = authoritativePort
  }

  // The first resolver that gives an answer.
  private async resolve(name: string, type: number): Promise<Parsed> {
    const faults: string[] = []
    for (const server of this.resolvers) {
      try {
        const answer = await ask(server, name, type, true, TIMEOUT_MS)
        const code = rcodeOf(answer)
        if (code === 'NOERROR' || code === 'NXDOMAIN') return answer
        faults.push(`${serverText(server)}: ${code}`)
      } catch (fault) {
        faults.push(fault instanceof Error ? fault.message : String(fault))
      }
    }
    throw new DnsError(
      `${name} can't be resolved: ${faults.join('; ') || 'there are no resolvers'}`,
    )
  }

  // Where a record under `name` must be put: behind its aliases, so that _acme-challenge can be delegated.
  async targetOf(name: string): Promise<string> {
    let target = name
    for (let hops = 0; hops < CNAMES_MAX; hops++) {
      const answer = await this.resolve(target, CNAME)
      const alias = answer.answers.find((one) => one.type === CNAME && one.name === target)
      if (alias === undefined) return target
      target = answer.texts.get(alias) ?? target
    }
    throw new DnsError(`${name}: more than ${CNAMES_MAX} aliases`)
  }

  // 'a.b.example.org' -> 'example.org', by the first name upwards that has a SOA record of its own.
  async zoneOf(name: string): Promise<string> {
    return zoneBy(name, (candidate) => this.resolve(candidate, SOA))
  }

  async serversOf(zone: string): Promise<DnsServer[]> {
    const answer = await this.resolve(zone, NS)
    const names = answer.answers
      .filter(({ type }) => type === NS)
      .map((one) => answer.texts.get(one) ?? '')
    const found: DnsServer[] = []
    for (const name of names.slice(0, SERVERS_MAX)) {
      const host = await this.addressOf(name)
      if (host !== '') found.push({ host, port: this.authoritativePort })
    }
    if (found.length === 0) throw new DnsError(`the servers of zone ${zone} are not known`)
    return found
  }

  private async addressOf(name: string): Promise<string> {
    const v4 = (await this.resolve(name, A)).answers.find(({ type }) => type === A)
    if (v4 !== undefined && v4.data.length === 4) return v4.data.join('.')
    const v6 = (await this.resolve(name, AAAA)).answers.find(({ type }) => type === AAAA)
    if (v6 === undefined || v6.data.length !== 16) return ''
    return (v6.data.toString('hex').match(/.{4}/g) ?? []).join(':')
  }

  // What still lacks `value` among the servers of the zone, and the resolvers when they are wanted too; '' for none.
  async missing(
    name: string,
    value: string,
    wanted: { readonly authoritative: boolean; readonly resolvers: boolean },
  ): Promise<string> {
    const servers = wanted.authoritative ? await this.serversOf(await this.zoneOf(name)) : []
    for (const server of servers) {
      if (!(await hasText(server, name, value, false))) return serverText(server)
    }
    for (const server of wanted.resolvers ? this.resolvers : []) {
      if (!(await hasText(server, name, value, true))) return serverText(server)
    }
    return ''
  }
}

async function hasText(
  server: DnsServer,
  name: string,
  value: string,
  recursive: boolean,
): Promise<boolean> {
  const answer = await ask(server, name, TXT, recursive, TIMEOUT_MS)
  return answer.answers.some(({ type, data }) => type === TXT && textOf(data) === value)
}

export async function zoneBy(
  name: string,
  resolve: (candidate: string) => Promise<Parsed>,
): Promise<string> {
  for (const candidate of suffixesOf(name)) {
    const answer = await resolve(candidate)
    if (answer.answers.some((one) => one.type === SOA && one.name === candidate)) return candidate
  }
  throw new DnsError(`no zone was found that ${name} is in`)
}

// 'a.b.org' -> 'a.b.org', 'b.org', 'org'.
export function suffixesOf(name: string): string[] {
  const labels = name.split('.')
  return labels.map((_, i) => labels.slice(i).join('.'))
}
