// cli/explain-text.ts: what was found out about a request, as data for machines and as text for people.

import type {
  FailoverPlan,
  MirroringPlan,
  ObjectStatus,
  ServicePlan,
} from '../config/generation.ts'
import { errorTable } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Explanation } from '../core/route/explain.ts'
import type { EntryPointPlan } from '../workers/messages.ts'
import type { ShownConnection, ShownTls } from './explain-connection.ts'
import type { AskedRequest } from './explain-request.ts'
import type { Answer, Journey, Step } from './explain-route.ts'
import { type Choice, careOf, choicesOf } from './explain-servers.ts'
import { tableText } from './table.ts'

export interface Facts {
  readonly asked: AskedRequest
  readonly point: EntryPointPlan
  readonly connection: ShownConnection
  readonly exchange: Exchange // at the end of its way
  readonly admitted: { readonly path: string; readonly host: string } // before any middleware
  readonly code: number // why it was refused before it was routed; 0 when it was not
  readonly journey: Journey | null
  readonly disabled: readonly ObjectStatus[]
}

interface ShownAnswer {
  readonly by: string
  readonly status: number
  readonly code: string // '' when nothing went wrong
  readonly reason: string
  readonly headers: readonly string[]
}

export interface ShownExplanation {
  readonly request: {
    readonly method: string
    readonly target: string
    readonly host: string
    readonly path: string // as it is matched and sent
    readonly clientAddress: string
    readonly entryPoint: string
  }
  readonly connection: ShownConnection
  readonly notes: readonly string[]
  readonly answer: ShownAnswer | null // null when a service answers
  readonly routers: readonly string[] // that took it
  readonly tried: readonly (readonly Explanation[])[]
  readonly disabled: readonly { readonly name: string; readonly error: readonly string[] }[]
  readonly steps: readonly Step[]
  readonly services: readonly ServicePlan[]
  readonly choices: readonly Choice[] // of each service in turn
  readonly sends: string // the request line that a server sees; '' when none is asked
  readonly sendsHost: string
}

export function explanationOf(facts: Facts): ShownExplanation {
  const { asked, point, connection, exchange, admitted, code, journey, disabled } = facts
  const answer = code === 0 ? (journey?.answer ?? null) : refusal(code)
  const leads = answer === null && journey?.services.some((s) => s.kind === 'loadBalancer')
  return {
    request: {
      method: asked.method,
      target: asked.url.target,
      host: admitted.host,
      path: admitted.path,
      clientAddress: asked.clientAddress,
      entryPoint: point.name,
    },
    connection,
    notes: notesOf(asked, admitted.path),
    answer: answer === null ? null : shownAnswer(answer),
    routers: journey?.routers ?? [],
    tried: journey?.levels ?? [],
    disabled: disabled.map(({ name, error }) => ({ name, error })),
    steps: journey?.steps ?? [],
    services: journey?.services ?? [],
    choices: (journey?.services ?? []).flatMap((service) => choicesOf(service, exchange)),
    sends: leads === true ? requestLine(exchange) : '',
    sendsHost: leads === true ? hostFor(exchange, journey!) : '',
  }
}

function refusal(code: number): Answer {
  return { by: 'sluice', status: errorTable[code]!.status, code, headers: [] }
}

function shownAnswer(answer: Answer): ShownAnswer {
  const { by, status, code, headers } = answer
  const fact = errorTable[code]!
  return {
    by,
    status,
    code: code === 0 ? '' : fact.name,
    reason: code === 0 ? '' : fact.sentence,
    headers,
  }
}

function notesOf(asked: AskedRequest, path: string): string[] {
  const notes: string[] = []
  const given = asked.url.target.replace(/\?.*$/s, '')
  if (path !== '' && path !== given) notes.push(`the path is normalised to ${path}`)
  return notes
}

function requestLine(exchange: Exchange): string {
  const query = exchange.hasQuery ? '?' + exchange.query : ''
  return `${exchange.method} ${exchange.path}${query} HTTP/1.1`
}

function hostFor(exchange: Exchange, journey: Journey): string {
  if (exchange.forwardHost !== '') return exchange.forwardHost
  const own = journey.services.every((s) => s.kind !== 'loadBalancer' || s.passHostHeader)
  return own ? exchange.authority : "the server's own"
}

export function explanationText(shown: ShownExplanation): string {
  const { request } = shown
  const parts = [
    `${request.method} ${request.target} of ${request.clientAddress} ` +
      `for ${request.host === '' ? '(no host)' : request.host} on entry point ${request.entryPoint}\n`,
    ...connectionText(shown.connection),
    ...shown.notes.map((note) => `Note: ${note}.\n`),
  ]
  if (shown.connection.tcpRouter !== null) return parts.map(printable).join('\n')
  shown.tried.forEach((level, at) => parts.push(levelText(level, shown.routers[at] ?? null)))
  if (shown.routers.length === 0) parts.push(...shown.disabled.map(disabledText))
  parts.push(...stepsText(shown.steps))
  if (shown.answer !== null) parts.push(answerText(shown.answer))
  else parts.push(...shown.services.map((service) => serviceText(service, shown.choices)))
  if (shown.sends !== '') parts.push(`Sent: ${shown.sends}, Host: ${shown.sendsHost}\n`)
  return parts.map(printable).join('\n')
}

function connectionText({ tls, tcpRouter }: ShownConnection): string[] {
  const parts: string[] = []
  if (tcpRouter !== null) {
    const how = tcpRouter.tls === 'none' ? 'in clear text' : `TLS: ${tcpRouter.tls}`
    parts.push(
      `TCP router: ${tcpRouter.name} (${how}): ${tcpRouter.rule} takes the connection for ` +
        `${tcpRouter.service}; no request is read\n`,
    )
  }
  return tls === null ? parts : [...parts, tlsText(tls)]
}

function tlsText(tls: ShownTls): string {
  const { options, because, minVersion, maxVersion, clientAuth, alpn } = tls
  const asks = clientAuth === 'NoClientCert' ? '' : `, ${clientAuth}`
  const protocols = alpn.length === 0 ? 'no ALPN' : alpn.join(', ')
  return (
    `TLS: options ${options}, because of ${because}: ${minVersion} to ${maxVersion}, ` +
    `${protocols}${asks}\n${certificateText(tls)}`
  )
}

function certificateText({ certificate, serverName }: ShownTls): string {
  const asked = serverName === '' ? 'no name' : serverName
  if (certificate === null) return `  no certificate: the handshake for ${asked} is refused\n`
  const { id, names, notAfter } = certificate
  if (id === '') return `  certificate for ${asked}: a generated one, which nobody trusts\n`
  return `  certificate for ${asked}: ${names.join(', ')}, until ${notAfter}, SHA-256 ${id}\n`
}

const LOSERS_MAX = 25
const WRONG_HOST = /^(?:none of )?\(*Host(?:Regexp)?\(/

// Those that matched first, then those that were near, the wrong hosts last; as many as fit.
function levelText(level: readonly Explanation[], winner: string | null): string {
  const others = level.filter((line) => line.name !== winner)
  const close = others.filter((line) => line.matched)
  const missed = others.filter((line) => !line.matched)
  const near = missed.filter((line) => !WRONG_HOST.test(line.why))
  const far = missed.filter((line) => WRONG_HOST.test(line.why))
  const shown = [...close, ...near, ...far].slice(0, LOSERS_MAX)
  const head = winner === null ? 'No router matches.\n' : winnerText(level, winner)
  const rows = shown.map((line) => ['  -', line.name, String(line.priority), line.why])
  const more = others.length - shown.length
  return head + tableText(rows) + (more > 0 ? `  and ${more} more, which --json lists\n` : '')
}

function winnerText(level: readonly Explanation[], winner: string): string {
  const { priority = 0, why = '' } = level.find((line) => line.name === winner) ?? {}
  return `Router: ${winner} (priority ${priority}): ${why}\n`
}

function disabledText(router: {
  readonly name: string
  readonly error: readonly string[]
}): string {
  return `Disabled: ${router.name}: ${router.error.join('; ')}\n`
}

function stepsText(steps: readonly Step[]): string[] {
  return steps.map((step, at) => {
    return `Middleware ${at + 1}: ${step.name} (${step.kind}, of ${step.owner}): ${step.sentence}\n`
  })
}

function answerText(answer: ShownAnswer): string {
  const why = answer.code === '' ? '' : ` ${answer.code}: ${answer.reason}`
  const headers = answer.headers.map((line) => `  ${line}\n`).join('')
  return `Answer: ${answer.status} from ${answer.by}${why}\n${headers}`
}

function serviceText(service: ServicePlan, choices: readonly Choice[]): string {
  if (service.kind === 'internal') return `Service: ${service.name}, answered by Sluice itself\n`
  if (service.kind === 'mirroring') return mirroringText(service)
  if (service.kind === 'failover') return failoverText(service)
  const verdicts = choices.filter((choice) => choice.service === service.name)
  const members =
    service.kind === 'weighted'
      ? service.services.map(({ name, weight }) => [name, weight] as const)
      : service.servers.map(({ url, weight }) => [url, weight] as const)
  const rows = members.map(([name, weight], i) => {
    const verdict = verdicts[i]?.verdict ?? ''
    return ['  -', name, `weight ${weight}`, ...(verdict === '' ? [] : [verdict])]
  })
  const isHrw = service.kind === 'weighted' && service.strategy === 'hrw'
  const kind = isHrw ? 'highestRandomWeight' : 'weighted'
  const what = service.kind === 'weighted' ? kind : `loadBalancer, ${service.strategy}`
  const care = careOf(service)
  const more = care === '' ? '' : `: ${care}`
  return `Service: ${service.name} (${what})${more}\n${tableText(rows)}`
}

function mirroringText({ name, service, mirrors }: MirroringPlan): string {
  const rows = mirrors.map((mirror) => ['  -', mirror.service, `copies of ${mirror.percent} %`])
  return `Service: ${name} (mirroring)\n${tableText([['  -', service, 'answers'], ...rows])}`
}

function failoverText({ name, service, fallback, statuses }: FailoverPlan): string {
  const ranges = statuses.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`))
  const also = ranges.length === 0 ? '' : `, or it answers ${ranges.join(', ')}`
  const rows = [
    ['  -', service, 'answers'],
    ['  -', fallback, `when that is down${also}`],
  ]
  return `Service: ${name} (failover)\n${tableText(rows)}`
}

// A request that somebody pastes here may hold anything; a terminal gets only what can be read.
function printable(text: string): string {
  return text.replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, (c) => {
    return '\\x' + c.charCodeAt(0).toString(16).padStart(2, '0')
  })
}
