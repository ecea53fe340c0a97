// certificatesResolvers: where certificates come from by themselves; ocsp, spiffe. Hot: no.

import { z } from 'zod'
import { meta } from '../schema.ts'
import { parseWorkloadAddress } from '../spiffe.ts'
import {
  block,
  flag,
  list,
  map,
  named,
  notYet,
  off,
  partly,
  secret,
  text,
  time,
  whole,
} from './blocks.ts'

const dnsChallenge = off({
  provider: partly(
    text(),
    'exec, httpreq, rfc2136, cloudflare, route53, gcloud, azuredns and digitalocean',
  ),
  resolvers: list(),
  delayBeforeCheck: time(0),
  disablePropagationCheck: flag(false),
  propagation: off({
    delayBeforeChecks: time(0),
    disableANSChecks: flag(false),
    disableChecks: flag(false),
    requireAllRNS: flag(false),
  }),
})

const acme = z
  .object({
    email: text(),
    emailAddresses: list(),
    caServer: text('https://acme-v02.api.letsencrypt.org/directory'),
    caCertificates: list(),
    caServerName: text(),
    caSystemCertPool: flag(false),
    certificatesDuration: whole(2160),
    certificateTimeout: time(30_000),
    clientResponseHeaderTimeout: time(30_000),
    clientTimeout: time(120_000),
    disableCommonName: flag(false),
    eab: block({ kid: text(), hmacEncoded: secret() }),
    keyType: text('RSA4096'),
    preferredChain: text(),
    profile: text(),
    storage: text('acme.json'),
    dnsChallenge,
    httpChallenge: off({ entryPoint: text(), delay: time(0) }),
    tlsChallenge: off({ delay: time(0) }),
  })
  .nullable()
  .default(null)

const tailscale = notYet(off({}), 'Tailscale')

export const certificatesResolvers = named(
  meta(z.object({ acme, tailscale }), { allowEmpty: true }),
)

export const ocsp = off({ responderOverrides: map() })
export const spiffe = block({
  workloadAPIAddr: text().refine(
    (address) => address === '' || parseWorkloadAddress(address) !== null,
    {
      error: 'is not an address such as unix:///run/spire/agent.sock or tcp://127.0.0.1:8081',
    },
  ),
})
