// core/middleware/http/headers-cors.ts: cross-origin resource sharing, the part of `headers` that answers.
//
// Hot: yes, for routers with CORS options. An Origin that is sent back was a peer's text: it is checked again
// before it becomes ours.

import { METHOD_OPTIONS } from '../../exchange.ts'
import type { Exchange } from '../../exchange.ts'
import { isFieldValue } from '../../h1/text.ts'
import { compileRegex } from '../../regex.ts'
import type { SafeRegex } from '../../regex.ts'
import { applyLine, headerLine } from '../header-line.ts'
import type { HeaderLine } from '../header-line.ts'

export interface CorsOptions {
  readonly accessControlAllowCredentials?: boolean | undefined
  readonly accessControlAllowHeaders?: readonly string[] | undefined
  readonly accessControlAllowMethods?: readonly string[] | undefined
  readonly accessControlAllowOriginList?: readonly string[] | undefined
  readonly accessControlAllowOriginListRegex?: readonly string[] | undefined
  readonly accessControlExposeHeaders?: readonly string[] | undefined
  readonly accessControlMaxAge?: number | undefined
  readonly addVaryHeader?: boolean | undefined
}

export function hasCors(options: CorsOptions): boolean {
  const lists = [
    options.accessControlAllowHeaders,
    options.accessControlAllowMethods,
    options.accessControlAllowOriginList,
    options.accessControlAllowOriginListRegex,
    options.accessControlExposeHeaders,
  ]
  if (lists.some((list) => list !== undefined && list.length > 0)) return true
  return (
    options.accessControlAllowCredentials === true ||
    options.addVaryHeader === true ||
    options.accessControlMaxAge !== undefined
  )
}

// With credentials "*" is a name like any other (Fetch, section 3.2.5), so nobody can have meant it: what is asked for is said
// instead, and of exposed headers nothing.
function isWild(options: CorsOptions, values: readonly string[] | undefined): boolean {
  return options.accessControlAllowCredentials === true && values?.includes('*') === true
}

function maxAgeOf({ accessControlMaxAge: seconds }: CorsOptions): string[] {
  return seconds === undefined ? [] : [String(Math.trunc(seconds))]
}

function corsLine(name: string, values: readonly string[] | undefined): HeaderLine[] {
  const line = headerLine('Access-Control-' + name, (values ?? []).join(','))
  return line === null || line.value === '' ? [] : [line]
}

export class Cors {
  private readonly preflightLines: readonly HeaderLine[]
  private readonly responseLines: readonly HeaderLine[]
  private readonly origins: readonly string[]
  private readonly expressions: readonly SafeRegex[]
  private readonly addVary: boolean
  private readonly anyHeader: boolean // whatever a preflight asks for is allowed
  private readonly anyMethod: boolean

  constructor(options: CorsOptions) {
    const credentials = options.accessControlAllowCredentials === true ? ['true'] : []
    const { accessControlAllowHeaders: headers, accessControlAllowMethods: methods } = options
    const exposed = options.accessControlExposeHeaders
    const exposedLine = isWild(options, exposed) ? [] : corsLine('Expose-Headers', exposed)
    this.anyHeader = isWild(options, headers)
    this.anyMethod = isWild(options, methods)
    this.preflightLines = [
      ...corsLine('Allow-Credentials', credentials),
      ...corsLine('Allow-Headers', this.anyHeader ? [] : headers),
      ...corsLine('Allow-Methods', this.anyMethod ? [] : methods),
      ...corsLine('Max-Age', maxAgeOf(options)),
      ...exposedLine,
    ]
    this.responseLines = [...corsLine('Allow-Credentials', credentials), ...exposedLine]
    this.origins = options.accessControlAllowOriginList ?? []
    this.expressions = (options.accessControlAllowOriginListRegex ?? []).map((source) =>
      compileRegex(source),
    )
    this.addVary = options.addVaryHeader === true
  }

  // OPTIONS with Origin and Access-Control-Request-Method; any other OPTIONS is the server's to answer.
  isPreflight(exchange: Exchange): boolean {
    if (exchange.methodId !== METHOD_OPTIONS) return false
    const { request } = exchange
    return !!request.get('origin') && !!request.get('access-control-request-method')
  }

  answerPreflight(exchange: Exchange): void {
    exchange.answer(200, 0, '', '')
    for (const line of this.preflightLines) exchange.response.addLine(line)
    if (this.anyHeader) allowAsked(exchange, 'headers')
    if (this.anyMethod) allowAsked(exchange, 'method')
    const allowed = this.allowedOrigin(exchange)
    if (allowed !== null) exchange.response.add('Access-Control-Allow-Origin', allowed)
  }

  onResponse(exchange: Exchange): void {
    const allowed = this.allowedOrigin(exchange)
    if (allowed !== null) exchange.response.set('Access-Control-Allow-Origin', allowed)
    for (let i = 0; i < this.responseLines.length; i++) {
      applyLine(exchange.response, this.responseLines[i]!)
    }
    if (this.addVary) addVaryOrigin(exchange)
  }

  // What Access-Control-Allow-Origin shall say; null when it shall not be there.
  allowedOrigin(exchange: Exchange): string | null {
    const origin = exchange.request.get('origin') ?? ''
    for (let i = 0; i < this.origins.length; i++) {
      if (this.origins[i] === '*') return '*'
      if (origin !== '' && this.origins[i] === origin) return origin
    }
    if (origin === '' || !isFieldValue(origin)) return null
    for (let i = 0; i < this.expressions.length; i++) {
      if (this.expressions[i]!.test(origin)) return origin
    }
    return null
  }
}

// What was asked for is a peer's text: checked before it is said back.
function allowAsked(exchange: Exchange, what: 'headers' | 'method'): void {
  const asked = exchange.request.get(`access-control-request-${what}`) ?? ''
  if (asked === '' || !isFieldValue(asked)) return
  const name = what === 'headers' ? 'Access-Control-Allow-Headers' : 'Access-Control-Allow-Methods'
  exchange.response.add(name, asked)
}

// Without it a shared cache hands one origin's answer to another (Fetch, section 3.2.5).
function addVaryOrigin(exchange: Exchange): void {
  const present = exchange.response.getAll('vary').join(',')
  for (const name of present.split(',')) {
    const plain = name.trim().toLowerCase()
    if (plain === 'origin' || plain === '*') return
  }
  const value = present === '' ? 'Origin' : present + ',Origin'
  if (isFieldValue(value)) exchange.response.set('Vary', value)
}
