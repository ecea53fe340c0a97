// workers/tls/state.ts: what one worker keeps for TLS over all its generations. Owner: the worker. Not hot.

import type { KeyPair } from './live-tls.ts'
import { SecureContexts } from './contexts.ts'
import { TicketKeyring, type TicketKeys } from './ticket-keys.ts'

// What the supervisor sends every worker at its start, and again when it changes. Secret.
export interface TlsSecrets {
  readonly generated: KeyPair | null // the certificate of last resort; null before it is made
  readonly ticketKeys: TicketKeys
}

export class TlsState {
  generated: KeyPair | null = null
  private readonly keyring = new TicketKeyring()
  readonly contexts = new SecureContexts(this.keyring)

  use(secrets: TlsSecrets): void {
    this.generated = secrets.generated
    this.keyring.replace(secrets.ticketKeys)
  }
}
