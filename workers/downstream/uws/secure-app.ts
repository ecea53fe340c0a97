// workers/downstream/uws/secure-app.ts: an app of uWebSockets.js with TLS: the certificate of all, and those of names.
//
//   hello -> uWebSockets.js looks its names up -> not there: onMissing -> load: files, addServerName, routes
//
// Owner:  SecureApps. What a name has been given stays as long as the app: uWebSockets.js frees the routes of a
//         name with it, under the feet of its connections. So one whose names no longer fit is replaced as a whole.
// Memory: as many names as the configuration has, 8 KiB each, once they are asked for; never what clients make up.
// Hot:    onMissing, once per handshake of a name that is not there. Its routes tell each request its facts.

import type { TlsOptionsPlan } from '../../../config/protocol-plans.ts'
import type { TlsFacts } from '../../../core/exchange.ts'
import { tellDefect } from '../../socket.ts'
import type { NameChoices } from '../../tls/name-choices.ts'
import { policyOf } from '../../tls/policy.ts'
import type { SecureApp, SecureOptions } from './binding.ts'
import { withKeyFiles } from './key-files.ts'
import type { UwsListener } from './listener.ts'
import type { SecureApps } from './secure-apps.ts'

// AEAD with forward secrecy, and one for each kind of key: BoringSSL takes the first of the client's that it knows, and
// the option that makes the server's order count can't be set from here. This is the one that RFC 9113 (9.2.2) asks of
// every client of HTTP/2 over TLS 1.2. Those of TLS 1.3 can't be chosen.
const SUITES_12 = 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256'

export function secureOptions(files: SecureOptions): SecureOptions {
  return { ...files, ssl_ciphers: SUITES_12 }
}

export class CertifiedApp {
  connections = 0
  readonly app: SecureApp
  private choices: NameChoices
  private readonly apps: SecureApps
  private readonly listener: UwsListener
  private readonly fallbackKey: string
  private readonly loaded = new Map<string, string>() // pattern: key of its choice
  private readonly left = (): void => {
    this.connections--
    this.listener.connectionLeft()
  }

  // Throws when the certificate of all can't be used.
  constructor(apps: SecureApps, listener: UwsListener, choices: NameChoices) {
    this.apps = apps
    this.listener = listener
    this.choices = choices
    const { key, options, certificate } = choices.of('')
    this.fallbackKey = key
    this.app = apps.make(certificate)
    listener.attach(this.app, factsOf('', options), this.left)
    this.app.filter((response, change) => {
      if (change < 0) return this.left()
      this.connections++
      listener.connectionCame(response)
    })
    this.app.missingServerName((name) => this.onMissing(name))
  }

  // Whether all that clients of it can have seen so far is as these want it.
  fits(choices: NameChoices): boolean {
    if (choices.of('').key !== this.fallbackKey) return false
    for (const [pattern, key] of this.loaded) if (choices.of(pattern).key !== key) return false
    return true
  }

  use(choices: NameChoices): void {
    this.choices = choices
    for (const pattern of this.loaded.keys()) if (pattern.startsWith('*.')) this.loadUnder(pattern)
  }

  private onMissing(name: string): void {
    try {
      const pattern = this.choices.patternOf(name)
      if (pattern !== '' && this.choices.of(pattern).key !== this.fallbackKey) this.load(pattern)
    } catch (defect) {
      tellDefect(defect) // the client gets the certificate of all
    }
  }

  private load(pattern: string): void {
    const { key, options, certificate } = this.choices.of(pattern)
    this.loaded.set(pattern, key)
    const usable = certificate !== null && this.apps.isUsable(certificate) ? certificate : null
    withKeyFiles(usable, (files) => this.app.addServerName(pattern, secureOptions(files)))
    this.app.domain(pattern)
    this.listener.attach(this.app, factsOf(pattern, options), this.left)
    if (pattern.startsWith('*.')) this.loadUnder(pattern)
  }

  // uWebSockets.js would not ask for these any more.
  private loadUnder(wildcard: string): void {
    const key = this.loaded.get(wildcard)
    for (const name of this.choices.under(wildcard)) {
      if (!this.loaded.has(name) && this.choices.of(name).key !== key) this.load(name)
    }
  }

  // No connection is left, nor on its way.
  dispose(): void {
    for (const pattern of this.loaded.keys()) this.app.removeServerName(pattern)
    this.loaded.clear()
  }
}

// uWebSockets.js tells neither version nor cipher, and of a wildcard not which name it was.
function factsOf(pattern: string, options: TlsOptionsPlan): TlsFacts {
  return {
    version: '',
    cipher: '',
    sni: pattern.startsWith('*.') ? '' : pattern,
    alpn: '',
    options: options.name,
    policy: policyOf(options),
    resumed: false,
    client: null,
  }
}
