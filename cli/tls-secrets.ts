// cli/tls-secrets.ts: the secrets that all workers share for TLS: the generated certificate and the ticket keys.
//
// Owner: the gateway. Made at every start and kept in memory alone. Hot: no.

import { type KeyedCertificate, generateSelfSigned } from '../certificates/self-signed.ts'
import type { TlsSecrets as Plan } from '../workers/tls/state.ts'
import { ROTATE_AFTER_MS, firstTicketKeys, rotated } from '../workers/tls/ticket-keys.ts'

export class TlsSecrets {
  private generated: KeyedCertificate | null = null
  private ticketKeys = firstTicketKeys()
  private readonly timer: NodeJS.Timeout
  private readonly changed: () => void

  constructor(changed: () => void) {
    this.changed = changed
    this.timer = setInterval(() => this.rotate(), ROTATE_AFTER_MS)
  }

  // Before the workers start: then none of them is ever without.
  async generate(): Promise<void> {
    this.generated = await generateSelfSigned()
  }

  get plan(): Plan {
    return { generated: this.generated, ticketKeys: this.ticketKeys }
  }

  private rotate(): void {
    this.ticketKeys = rotated(this.ticketKeys)
    this.changed()
  }

  stop(): void {
    clearInterval(this.timer)
  }
}
