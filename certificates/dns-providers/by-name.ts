// certificates/dns-providers/by-name.ts: the services that dnsChallenge.provider may name. Hot: no.

import type { DnsProviderFactory } from './contract.ts'

const loaders: Readonly<Record<string, () => Promise<DnsProviderFactory>>> = {
  exec: async () => (await import('./exec.ts')).exec,
  httpreq: async () => (await import('./httpreq.ts')).httpreq,
  rfc2136: async () => (await import('./rfc2136.ts')).rfc2136,
  cloudflare: async () => (await import('./cloudflare.ts')).cloudflare,
  route53: async () => (await import('./route53.ts')).route53,
  gcloud: async () => (await import('./gcloud.ts')).gcloud,
  azuredns: async () => (await import('./azuredns.ts')).azuredns,
  digitalocean: async () => (await import('./digitalocean.ts')).digitalocean,
}

export const dnsProviderNames: readonly string[] = Object.keys(loaders)

export async function dnsProviderFactory(name: string): Promise<DnsProviderFactory> {
  const load = Object.hasOwn(loaders, name) ? loaders[name] : undefined
  if (load !== undefined) return load()
  const known = dnsProviderNames.join(', ')
  throw new Error(
    `the DNS provider ${JSON.stringify(name)} is not built in (${known} are); exec and httpreq reach any other`,
  )
}
