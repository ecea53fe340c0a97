// admin/commands.ts: who may change something by the API: the one place that says so.
//
// Only with api.writable, and never for the page of another site: a browser sends its user's cookies and address along
// wherever a page points it. Whoever reaches api@internal decides the rest, as for reading. Hot: no.

import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { canonicalHost } from '../core/normalise-host.ts'
import { rolloutActions } from '../core/rollout/progress.ts'
import { errorReply, jsonReply, type Reply } from './reply.ts'
import type { AdminState } from './state.ts'

// null: it may.
export function refusalOf(state: AdminState, headers: IncomingHttpHeaders): Reply | null {
  if (state.staticConfig.api?.writable !== true)
    return errorReply(
      403,
      'this API is read-only; api.writable in the install configuration changes that',
    )
  const { host = '', origin = '' } = headers
  const site = String(headers['sec-fetch-site'] ?? '')
  return isForeign(host, origin, site)
    ? errorReply(403, 'a page of another site may not change anything')
    : null
}

// Programs send neither header; browsers send both with what is not a plain navigation.
function isForeign(host: string, origin: string, site: string): boolean {
  if (site !== '' && site !== 'same-origin' && site !== 'none') return true
  if (origin === '' || origin === `https://${host}`) return false
  return origin !== `http://${host}` || !isFixed(host)
}

// In clear text a page can give its own name our address after it was loaded, and then be of the same site (DNS rebinding).
// An address and localhost can't be taken so; over TLS the certificate is in the way.
function isFixed(host: string): boolean {
  const name = canonicalHost(host)
  return name === 'localhost' || isIP(name) !== 0
}

// POST /api/http/rollouts/NAME/ACTION; `path` is what follows /api/http/rollouts/.
export function steerRollout(state: AdminState, path: string): Reply {
  const [encoded = '', asked = ''] = path.split('/')
  const action = rolloutActions.find((one) => one === asked)
  if (action === undefined) return errorReply(404, `expected one of ${rolloutActions.join(', ')}`)
  const name = decodeName(encoded)
  const refusal = name === '' ? null : state.steer(name, action)
  if (refusal === null) return errorReply(404, `rollout not found: ${name.slice(0, 200)}`)
  if (refusal !== '') return errorReply(409, refusal)
  return jsonReply(state.rollouts().find((one) => one.name === name))
}

// '' for what is no name.
function decodeName(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
