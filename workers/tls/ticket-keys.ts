// workers/tls/ticket-keys.ts: the keys that session tickets are encrypted with, the same in all workers.
//
// Owner:  the supervisor makes and rotates them and sends them to its workers; they are never stored. Hot: no.
//
// Two are known: the current one encrypts, the one before still decrypts, and who came with that gets a new ticket.
// So a ticket lives for one to two rotations, and at the most as long as OpenSSL lets a session live. After that, and
// after a restart, a client makes a whole handshake.
//
// Node's setTicketKeys knows one key only. Its ticket key callback (not documented; process aborts when it is given
// anything but buffers of the right size) knows as many as one likes, and leaves the IV to us.

import { cryptoModule } from '../builtins.ts'

export interface TicketKey {
  readonly name: Uint8Array // 16 bytes, sent in clear: which key a ticket is of
  readonly hmac: Uint8Array // 32 bytes
  readonly aes: Uint8Array // 16 bytes
}

export interface TicketKeys {
  readonly current: TicketKey
  readonly previous: TicketKey | null
}

export const ROTATE_AFTER_MS = 12 * 60 * 60 * 1000

function newKey(): TicketKey {
  const { randomBytes } = cryptoModule()
  return { name: randomBytes(16), hmac: randomBytes(32), aes: randomBytes(16) }
}

export function firstTicketKeys(): TicketKeys {
  return { current: newKey(), previous: null }
}

export function rotated({ current }: TicketKeys): TicketKeys {
  return { current: newKey(), previous: current }
}

interface NativeContext {
  enableTicketKeyCallback(): void
  onticketkeycallback: (name: Buffer, iv: Buffer, encrypts: boolean) => unknown[]
}

const UNKNOWN = 0 // no session: a whole handshake
const USE = 1
const USE_AND_RENEW = 2

// The keys of one worker; every SecureContext of it asks here.
export class TicketKeyring {
  private told: OpenKey | null = null
  private previous: OpenKey | null = null

  // One of its own until it is told others.
  private get current(): OpenKey {
    return (this.told ??= openKey(newKey()))
  }

  replace(keys: TicketKeys): void {
    this.told = openKey(keys.current)
    this.previous = keys.previous === null ? null : openKey(keys.previous)
  }

  install(context: unknown): void {
    const native = context as NativeContext
    native.onticketkeycallback = this.answer
    native.enableTicketKeyCallback()
  }

  private readonly answer = (name: Buffer, _iv: Buffer, encrypts: boolean): unknown[] => {
    if (encrypts || name.equals(this.current.name)) return answerOf(USE, this.current)
    const { previous } = this
    if (previous !== null && name.equals(previous.name)) return answerOf(USE_AND_RENEW, previous)
    return answerOf(UNKNOWN, this.current)
  }
}

interface OpenKey {
  readonly name: Buffer
  readonly hmac: Buffer
  readonly aes: Buffer
}

// What came by a message is a Uint8Array.
function openKey({ name, hmac, aes }: TicketKey): OpenKey {
  return { name: Buffer.from(name), hmac: Buffer.from(hmac), aes: Buffer.from(aes) }
}

function answerOf(verdict: number, key: OpenKey): unknown[] {
  return [verdict, key.hmac, key.aes, key.name, cryptoModule().randomBytes(16)]
}
