// workers/downstream/uws/secure-apps.ts: the apps of an entry point with TLS, and which of them gets new connections.
//
//   acceptor (listens, has no certificate) --> current
//                                              retired, retired: until their last connection has ended
//
// uWebSockets.js can't give an app another certificate, so another app is made, and the acceptor, which never stops
// to listen, hands its connections on to that one. Handshakes under way and connections stay where they began.
//
// Owner:  the listener. Price: 28 KiB of an app that is retired, and of one that proves a certificate, are never
//         given back; see docs/engines.md.
// Hot:    no.

import type { CertificatePlan } from '../../../config/protocol-plans.ts'
import { keyKindOf } from '../../tls/certificate-table.ts'
import type { KeyPair, LiveTls } from '../../tls/live-tls.ts'
import { NameChoices } from '../../tls/name-choices.ts'
import { tellDefect } from '../../socket.ts'
import type { CertificateKeeper } from '../contract.ts'
import type { SecureApp, Uws } from './binding.ts'
import { withKeyFiles } from './key-files.ts'
import type { UwsListener } from './listener.ts'
import { CertifiedApp, secureOptions } from './secure-app.ts'

const PROVEN_MAX = 4096 // then they are proven again
const SETTLE_MS = 1000 // what was accepted before is adopted a turn of the event loop later

interface Retired {
  readonly certified: CertifiedApp
  quietSince: number
}

export class SecureApps implements CertificateKeeper {
  readonly acceptor: SecureApp
  private readonly uws: Uws
  private readonly listener: UwsListener
  private current: CertifiedApp | null = null
  private next: CertifiedApp | null = null // prepared; null when the current one goes on
  private prepared: { readonly tls: LiveTls; readonly choices: NameChoices } | null = null
  private adopted: LiveTls | null = null
  private readonly retired = new Set<Retired>()
  private readonly proven = new Map<string, boolean>() // id of a certificate: whether it can be used

  constructor(uws: Uws, listener: UwsListener) {
    this.uws = uws
    this.listener = listener
    this.acceptor = uws.SSLApp({})
  }

  // Throws when the certificate of all can't be used.
  prepare(tls: LiveTls): void {
    const choices = new NameChoices(tls, this.listener.point.name)
    const isFit = this.current !== null && this.current.fits(choices)
    this.next = isFit ? null : new CertifiedApp(this, this.listener, choices)
    this.prepared = { tls, choices }
  }

  // What was prepared for a generation that never came is left alone.
  adopt(tls: LiveTls): void {
    if (this.prepared?.tls !== tls) {
      if (this.adopted === tls) return
      this.prepare(tls)
    }
    const { choices } = this.prepared!
    const { current } = this
    // More names may have been asked for since prepare().
    if (this.next === null && !current!.fits(choices))
      this.next = new CertifiedApp(this, this.listener, choices)
    if (this.next === null) current!.use(choices)
    else this.replace(this.next)
    this.next = null
    this.prepared = null
    this.adopted = tls
  }

  private replace(next: CertifiedApp): void {
    const { current } = this
    this.acceptor.addChildAppDescriptor(next.app.getDescriptor())
    this.current = next
    if (current === null) return
    this.acceptor.removeChildAppDescriptor(current.app.getDescriptor())
    this.retired.add({ certified: current, quietSince: this.listener.point.context.sweeper.now })
  }

  // Throws when BoringSSL does not take the pair.
  make(pair: KeyPair | null): SecureApp {
    try {
      return withKeyFiles(pair, (files) => this.uws.SSLApp(secureOptions(files)))
    } catch (fault) {
      const { name } = this.listener.point
      const reason = fault instanceof Error ? fault.message : String(fault)
      throw new Error(
        `entry point ${name}: engine uws can't use the default certificate (${reason})`,
        { cause: fault },
      )
    }
  }

  // uWebSockets.js says nothing of a pair that it can't use for a name, so an app is made of it first.
  isUsable(certificate: CertificatePlan): boolean {
    const known = this.proven.get(certificate.id)
    if (known !== undefined) return known
    const isUsable = this.prove(certificate)
    if (this.proven.size >= PROVEN_MAX) this.proven.clear()
    this.proven.set(certificate.id, isUsable)
    if (isUsable) return true
    const { context, name } = this.listener.point
    const message =
      `entry point ${name}: engine uws can't use the certificate of ${certificate.names.join(', ')}; ` +
      'handshakes for it are refused'
    context.say({ type: 'warning', message })
    return false
  }

  // Of Ed25519 keys and such BoringSSL makes a context, but no handshake.
  private prove(certificate: CertificatePlan): boolean {
    const kind = keyKindOf(certificate)
    if (kind !== 'rsa' && kind !== 'ec') return false
    try {
      this.make(certificate)
      return true
    } catch {
      return false
    }
  }

  onTick(now: number): void {
    for (const each of this.retired) {
      if (each.certified.connections > 0) each.quietSince = now
      else if (now - each.quietSince > SETTLE_MS) this.dispose(each)
    }
  }

  private dispose(each: Retired): void {
    this.retired.delete(each)
    try {
      each.certified.dispose()
    } catch (defect) {
      tellDefect(defect)
    }
  }

  close(): void {
    this.acceptor.close()
    this.current?.app.close()
    for (const { certified } of this.retired) certified.app.close()
    this.retired.clear()
  }
}
