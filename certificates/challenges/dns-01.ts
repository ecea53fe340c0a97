// certificates/challenges/dns-01.ts: proves a name, or a wildcard, by a TXT record (RFC 8555 8.4).
//
//   alias of _acme-challenge -> record at the provider -> delay -> every server of the zone has it -> authority
//
// Hot: no. Changes go one after another through one provider: see the contract of providers.

import type { StaticConfig } from '../../config/static.ts'
import { dnsProviderFactory } from '../dns-providers/by-name.ts'
import type { DnsProvider, TxtRecord } from '../dns-providers/contract.ts'
import { Environment, type Variables } from '../dns-providers/environment.ts'
import { Lookup, resolversOf } from '../dns/lookup.ts'
import type { Transport } from '../http.ts'
import { pause } from '../pause.ts'
import { type Challenge, type Solver, keyAuthorizationDigest } from './contract.ts'

type DnsChallengeConfig = NonNullable<
  NonNullable<StaticConfig['certificatesResolvers'][string]['acme']>['dnsChallenge']
>

export interface Propagation {
  readonly delayMs: number
  readonly authoritative: boolean
  readonly resolvers: boolean
}

export interface DnsSolverOptions {
  readonly provider: DnsProvider
  readonly lookup: Lookup
  readonly propagation: Propagation
  readonly now: () => number
  readonly warn: (message: string) => void
}

const CLEANUP_TIMEOUT_MS = 60_000

export async function dnsSolver(
  config: DnsChallengeConfig,
  variables: Variables,
  transport: Transport,
  warn: (message: string) => void,
): Promise<Solver> {
  const factory = await dnsProviderFactory(config.provider)
  const environment = new Environment(variables, config.provider)
  const now = Date.now
  const provider = factory({ environment, transport, now, pause })
  const lookup = new Lookup(resolversOf(config.resolvers))
  return new DnsSolver({ provider, lookup, propagation: propagationOf(config), now, warn })
}

// delayBeforeCheck and disablePropagationCheck are the older names of the same.
export function propagationOf(config: DnsChallengeConfig): Propagation {
  const { propagation } = config
  const isOff = config.disablePropagationCheck || propagation?.disableChecks === true
  return {
    delayMs: propagation?.delayBeforeChecks || config.delayBeforeCheck,
    authoritative: !isOff && propagation?.disableANSChecks !== true,
    resolvers: !isOff && propagation?.requireAllRNS === true,
  }
}

export class DnsSolver implements Solver {
  readonly kind = 'dns-01'
  private readonly options: DnsSolverOptions
  private readonly records = new Map<Challenge, TxtRecord>()
  private last: Promise<unknown> = Promise.resolve()

  constructor(options: DnsSolverOptions) {
    this.options = options
  }

  async present(challenges: readonly Challenge[], signal: AbortSignal): Promise<void> {
    const { provider, propagation } = this.options
    for (const challenge of challenges) {
      const record = await this.recordOf(challenge)
      await this.inTurn(async () => {
        this.records.set(challenge, record) // before it is made: half made is cleaned up too
        await provider.present(record, signal)
      })
    }
    if (challenges.length > 0 && propagation.delayMs > 0) await pause(propagation.delayMs, signal)
    const deadline = this.options.now() + provider.propagationTimeoutMs
    for (const challenge of challenges) {
      const record = this.records.get(challenge)
      if (record !== undefined) await this.untilThere(record, deadline, signal)
    }
  }

  private async recordOf(challenge: Challenge): Promise<TxtRecord> {
    const { name: domain, token, keyAuthorization } = challenge
    const { lookup, warn } = this.options
    const alias = `_acme-challenge.${domain}`
    // Without resolvers (a closed network) the name itself is the best guess.
    const name = await lookup.targetOf(alias).catch((fault: unknown) => {
      warn(`${alias}: ${textOf(fault)}; aliases are not followed`)
      return alias
    })
    const value = keyAuthorizationDigest(challenge).toString('base64url')
    return { name, value, domain, token, keyAuthorization }
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.last.then(work, work)
    this.last = next.catch(() => {})
    return next
  }

  private async untilThere(
    record: TxtRecord,
    deadline: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { provider, lookup, propagation, now } = this.options
    if (!propagation.authoritative && !propagation.resolvers) return
    for (;;) {
      const lacking = await lookup.missing(record.name, record.value, propagation).catch(textOf)
      if (lacking === '') return
      if (now() >= deadline)
        throw new Error(`${record.name}: the record did not reach every server in time: ${lacking}`)
      await pause(provider.pollIntervalMs, signal)
    }
  }

  async cleanup(challenges: readonly Challenge[]): Promise<void> {
    for (const challenge of challenges) {
      const record = this.records.get(challenge)
      if (record === undefined) continue
      this.records.delete(challenge)
      const signal = AbortSignal.timeout(CLEANUP_TIMEOUT_MS)
      await this.inTurn(() => this.options.provider.cleanup(record, signal)).catch(
        (fault: unknown) => this.options.warn(`${record.name} is left behind: ${textOf(fault)}`),
      )
    }
  }
}

function textOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault)
}
