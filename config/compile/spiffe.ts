// config/compile/spiffe.ts: a transport with `spiffe`, where the install configuration names a Workload API.
//
// The SVID is the client certificate then, and the bundles of the trust domains that are wanted are the authorities.
// Whatever is not there makes the transport unusable, not open: requests through it are answered 502. Hot: no.

import { parseSpiffeId } from '../spiffe.ts'
import type { ServerTlsPlan } from '../protocol-plans.ts'
import type { Compilation } from './compilation.ts'

export interface WantedIds {
  readonly ids: readonly string[] // before the trust domain, as in Traefik; neither: any id of a domain with a bundle
  readonly trustDomain: string
}

export function withSvid(
  { facts, spiffe }: Compilation,
  plan: ServerTlsPlan,
  wanted: WantedIds | null,
): ServerTlsPlan {
  if (wanted === null || facts.workloadApi === '') return plan
  if (spiffe === null) return { ...plan, spiffeBundles: [], lacking: 'SPIFFE_NO_SVID' }
  const domains = domainsOf(wanted)
  const { bundles, certPem, keyPem } = spiffe
  const spiffeBundles = bundles.filter((one) => domains === null || domains.has(one.trustDomain))
  const rootCas = spiffeBundles.map(({ rootsPem }) => rootsPem).join('')
  const lacking = rootCas === '' ? 'SPIFFE_NO_BUNDLE' : ''
  return { ...plan, certPem, keyPem, rootCas, spiffeBundles, lacking }
}

// null for all.
function domainsOf({ ids, trustDomain }: WantedIds): ReadonlySet<string> | null {
  if (ids.length > 0) return new Set(ids.map((id) => parseSpiffeId(id)?.trustDomain ?? ''))
  return trustDomain === '' ? null : new Set([trustDomain])
}
