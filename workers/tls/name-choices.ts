// workers/tls/name-choices.ts: certificate and options by patterns of server names, for an engine whose library finds
// the pattern by itself and knows no more of the hello than the name.
//
// Owner:  the engine; one per generation whose TLS differs. Hot: no, once per handshake at the most.

import type { CertificatePlan, TlsOptionsPlan } from '../../config/protocol-plans.ts'
import { nameOfText } from '../../core/tls/server-name.ts'
import type { LiveTls } from './live-tls.ts'
import { policyOf } from './policy.ts'

export interface Choice {
  readonly certificate: CertificatePlan | null // null: there is none, and no handshake
  readonly options: TlsOptionsPlan
  readonly key: string // the same for choices that a client can't tell apart
}

export class NameChoices {
  private readonly tls: LiveTls
  private readonly entryPoint: string
  private readonly patterns: ReadonlySet<string>

  constructor(tls: LiveTls, entryPoint: string) {
    this.tls = tls
    this.entryPoint = entryPoint
    this.patterns = tls.patternsOf(entryPoint)
  }

  // What a client's name comes under: itself, or a wildcard for its first label; '' for nothing, or when it is
  // not spelled as names are here.
  patternOf(name: string): string {
    if (nameOfText(name) !== name) return ''
    if (this.patterns.has(name)) return name
    const wildcard = '*' + name.slice(name.indexOf('.'))
    return name.includes('.') && this.patterns.has(wildcard) ? wildcard : ''
  }

  // Names of their own that the wildcard would stand for as well.
  under(wildcard: string): string[] {
    const rest = wildcard.slice(1)
    const names: string[] = []
    for (const name of this.patterns) {
      if (
        name.endsWith(rest) &&
        name.indexOf('.') === name.length - rest.length &&
        name !== wildcard
      )
        names.push(name)
    }
    return names
  }

  // '' : of clients that name nobody, or a name that comes under no pattern.
  of(pattern: string): Choice {
    const options = this.tls.optionsOfPattern(this.entryPoint, pattern)
    const certificate = this.tls.certificateOfPattern(pattern)
    const key = `${certificate?.id ?? ''} ${options.name} ${policyOf(options)}`
    return { certificate, options, key }
  }
}
