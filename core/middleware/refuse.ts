// core/middleware/refuse.ts: how a request is turned away, by a middleware or by the gateway itself.
//
// Hot: yes, under attack. Where exchange.errorPages is set the client's Accept chooses the form, and the answer says so
// (Vary); calls of gRPC and handshakes of WebSockets get text as ever, which their clients do not show.

import { errorTable } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { WEBSOCKET, protocolOf } from '../request-protocol.ts'
import { FORM_HTML, FORM_TEXT, formWantedBy, typeOfForm } from './answer-form.ts'
import type { AnswerForm } from './answer-form.ts'
import { ANSWERED } from './contract.ts'
import type { Verdict } from './contract.ts'
import { PAGE_POLICY, refusalPage } from './refusal-pages.ts'

// `status` 0: that of the error.
export function refuseWith(exchange: Exchange, code: number, status: number): Verdict {
  const sent = status === 0 ? errorTable[code]!.status : status
  const form = exchange.errorPages ? formFor(exchange) : FORM_TEXT
  exchange.answer(sent, code, refusalPage(code, sent, form), typeOfForm[form])
  if (exchange.errorPages) exchange.response.add('Vary', 'Accept')
  if (form === FORM_HTML) exchange.response.add('Content-Security-Policy', PAGE_POLICY)
  return ANSWERED
}

function formFor(exchange: Exchange): AnswerForm {
  const form = formWantedBy(exchange.request)
  return form === FORM_TEXT || protocolOf(exchange) >= WEBSOCKET ? FORM_TEXT : form
}
