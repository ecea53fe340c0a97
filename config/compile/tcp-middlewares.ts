// config/compile/tcp-middlewares.ts: tcp.middlewares: inFlightConn and ipAllowList. Hot: no.

import { parseCidr } from '../../core/address.ts'
import type { TcpMiddlewareConfig } from '../dynamic/tcp-udp.ts'
import type { Entry } from '../merge.ts'
import type { TcpMiddlewarePlan } from '../protocol-plans.ts'
import type { Compilation } from './compilation.ts'

export function planTcpMiddleware(
  shared: Compilation,
  entry: Entry<TcpMiddlewareConfig>,
  config: TcpMiddlewareConfig,
  errors: string[],
): TcpMiddlewarePlan | null {
  const fail = (key: readonly (string | number)[], message: string): void =>
    shared.fail(entry, key, 'CONFIG_MIDDLEWARE', message, errors)
  const name = entry.qualified
  const kinds = Object.entries(config).filter(([, options]) => options !== null)
  const [first] = kinds
  if (first === undefined || kinds.length > 1) {
    const given = kinds.map(([kind]) => kind).join(', ')
    fail([], given === '' ? 'says nothing: no kind is given' : `has more than one kind: ${given}`)
    return null
  }
  const { inFlightConn } = config
  if (inFlightConn !== null) {
    if (inFlightConn.amount < 1) fail(['inFlightConn', 'amount'], 'amount: must be at least 1')
    return { name, kind: 'inFlightConn', options: { amount: inFlightConn.amount } }
  }
  const kind = config.ipAllowList === null ? 'ipWhiteList' : 'ipAllowList'
  const sourceRange = config[kind]!.sourceRange
  if (sourceRange.length === 0) fail([kind], 'sourceRange: must not be empty')
  sourceRange.forEach((range, at) => {
    if (parseCidr(range) !== null) return
    const shown = JSON.stringify(range.slice(0, 100))
    fail([kind, 'sourceRange', at], `sourceRange: ${shown} is not an address or CIDR`)
  })
  return { name, kind: 'ipAllowList', options: { sourceRange } }
}
