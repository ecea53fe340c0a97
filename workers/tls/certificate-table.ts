// workers/tls/certificate-table.ts: which certificates a server name gets.
//
// Owner:  the live generation that made it; immutable. Hot: no, once per handshake.
//
// The exact name, then a wildcard for one label. Of several certificates for a name the one that is valid longest is
// used, one for each kind of key: EC for a client that can verify it, else RSA. OpenSSL could choose by itself, but Node
// gives it one chain for all certificates of a context, and so the wrong one for some.

import { cryptoModule } from '../builtins.ts'
import { isIP } from 'node:net'
import type { CertificatePlan, TlsVersion } from '../../config/protocol-plans.ts'
import type { ClientHello } from '../../core/tls/client-hello.ts'
import { NameTable } from '../../core/tls/sni.ts'

const TLS_13 = 0x0304

export class CertificateTable {
  private readonly names = new NameTable<CertificatePlan[]>()
  private readonly addresses = new Map<string, CertificatePlan[]>()

  constructor(plans: ReadonlyMap<string, CertificatePlan>) {
    for (const plan of plans.values()) for (const name of plan.names) this.add(name, plan)
  }

  private add(name: string, plan: CertificatePlan): void {
    const isAddress = isIP(name) !== 0
    const there = isAddress ? this.addresses.get(name) : this.names.get(name)
    if (there) there.push(plan)
    else if (isAddress) this.addresses.set(name, [plan])
    else this.names.set(name, [plan])
  }

  // [] when there is none. A client that names nobody has dialled an address: that of our end is looked up.
  find(serverName: string, localAddress: string): readonly CertificatePlan[] {
    const found =
      serverName === '' ? this.addresses.get(localAddress) : this.names.lookup(serverName)
    if (!found) return []
    return found.length === 1 ? found : oneOfEachKind(found)
  }

  // The same for whoever knows no more than 'shop.example' or '*.shop.example'.
  findPattern(pattern: string): readonly CertificatePlan[] {
    const isWildcard = pattern.startsWith('*.')
    const found = isWildcard ? this.names.get(pattern) : this.names.lookup(pattern)
    return found === null ? [] : oneOfEachKind(found)
  }
}

function oneOfEachKind(plans: readonly CertificatePlan[]): CertificatePlan[] {
  const best = new Map<string, CertificatePlan>()
  for (const plan of plans) {
    const kind = keyKindOf(plan)
    const other = best.get(kind)
    if (other === undefined || isBetter(plan, other)) best.set(kind, plan)
  }
  return [...best.values()]
}

// Null of an empty list.
export function oneFor(
  plans: readonly CertificatePlan[],
  client: Pick<ClientHello, 'versions' | 'ecdsaScheme' | 'ecdsaSuite'>,
  maxVersion: TlsVersion,
): CertificatePlan | null {
  if (plans.length < 2) return plans[0] ?? null
  const is13 = maxVersion === 'TLSv1.3' && client.versions.includes(TLS_13)
  const knowsEc = client.ecdsaScheme && (is13 || client.ecdsaSuite)
  const wanted = knowsEc ? 'ec' : 'rsa'
  return plans.find((plan) => keyKindOf(plan) === wanted) ?? plans[0]!
}

// The id settles a tie, so that all workers choose the same.
function isBetter(one: CertificatePlan, other: CertificatePlan): boolean {
  if (one.notAfter !== other.notAfter) return one.notAfter > other.notAfter
  return one.id > other.id
}

const kinds = new WeakMap<CertificatePlan, string>()

export function keyKindOf(plan: CertificatePlan): string {
  let kind = kinds.get(plan)
  if (kind === undefined) {
    const { X509Certificate } = cryptoModule()
    kind = new X509Certificate(plan.certPem).publicKey.asymmetricKeyType ?? ''
    kinds.set(plan, kind)
  }
  return kind
}
