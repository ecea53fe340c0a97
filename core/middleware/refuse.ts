// core/middleware/refuse.ts: how a middleware turns a request away.
//
// Hot: yes, under attack: one string per refusal.

import { errorTable } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { statusPhrase } from '../h1/status.ts'
import { ANSWERED } from './contract.ts'
import type { Verdict } from './contract.ts'

// `status` 0: that of the error.
export function refuseWith(exchange: Exchange, code: number, status: number): Verdict {
  const fact = errorTable[code]!
  const sent = status === 0 ? fact.status : status
  const body = statusPhrase(sent) + ' (' + fact.name + ')\n'
  exchange.answer(sent, code, body, 'text/plain; charset=utf-8')
  return ANSWERED
}
