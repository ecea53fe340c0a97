// config/compile/forward-auth-plan.ts: where forwardAuth asks, and the TLS of the way there.
//
// Its connections are made as the middleware says and by nothing else: not by the default serversTransport, whose
// insecureSkipVerify, say, is no word about authentication. Hot: no.

import { plainServerTls } from '../facts.ts'
import type { MiddlewareOptions } from '../dynamic/middlewares.ts'
import type { Path } from '../problem.ts'
import type { ServerTlsPlan } from '../protocol-plans.ts'
import type { PlanTools } from './middleware-plan.ts'
import { planServerTls, type ServerTlsConfig } from './server-tls.ts'

type Options = MiddlewareOptions<'forwardAuth'>

export interface ForwardAuthPlan extends Omit<Options, 'tls'> {
  readonly url: string
  readonly path: string
  readonly transport: string
}

const plain: ServerTlsConfig = {
  serverName: '',
  insecureSkipVerify: false,
  rootCAs: [],
  certificates: [],
  peerCertURI: '',
  peerCertSANs: [],
  spiffe: null,
}

export function planForwardAuth(options: Options, at: Path, tools: PlanTools): ForwardAuthPlan {
  const { tls, ...rest } = options
  const { shared, entry } = tools
  const transport = `${entry.qualified} (forwardAuth)`
  const { defaultTransport } = shared.facts
  tools.transport({
    ...defaultTransport,
    name: transport,
    tls: tlsOf(tls, at, tools),
    coalesce: null,
  })
  const address = URL.canParse(options.address) ? new URL(options.address) : null
  const url = address === null ? '' : `${address.protocol}//${address.host}` // the check has refused it
  const path = address === null ? '' : address.pathname + address.search
  return { ...rest, url, path, transport }
}

function tlsOf(tls: Options['tls'], at: Path, { shared, entry, errors }: PlanTools): ServerTlsPlan {
  if (tls === null) return plainServerTls
  const { ca, cert, key, insecureSkipVerify } = tls
  const config: ServerTlsConfig = {
    ...plain,
    insecureSkipVerify,
    rootCAs: ca === '' ? [] : [ca],
    certificates: cert === '' && key === '' ? [] : [{ certFile: cert, keyFile: key }],
  }
  return planServerTls(shared, entry, [...at, 'tls'], config, errors)
}
