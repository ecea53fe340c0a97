// core/auth/nonces.ts: nonces of digestAuth: signed, dated, and each count of them used once.
//
// A nonce says its number and the second it was made in; the signature makes it ours, and the table of the process
// (core/shared/nonce-table.ts) says what was used of it, in whichever worker. Hot: no.
//
//   "0000002a00001c20" + 22 characters of the keyed hash of these and the realm

import type { CryptoServices } from '../middleware/crypto.ts'
import { FRESH, REPLAYED, type NonceTable } from '../shared/nonce-table.ts'

export const NONCE_LIFETIME_S = 300
const SIGNATURE_LENGTH = 22 // of base64url: 132 bits

export const GOOD = 0
export const OLD = 1 // ours, but no longer alive: the client is asked to use another one, and need not ask its user
export const FALSE = 2 // not ours, or replayed

export class Nonces {
  private readonly table: NonceTable
  private readonly crypto: CryptoServices
  private readonly realm: string

  constructor(table: NonceTable, crypto: CryptoServices, realm: string) {
    this.table = table
    this.crypto = crypto
    this.realm = realm
  }

  // `now`: milliseconds of the clock that all workers share.
  make(now: number): string {
    const said = hex8(this.table.issue()) + hex8(Math.floor(now / 1000))
    return said + this.signatureOf(said)
  }

  // To be asked when everything else is right: it uses the count up.
  use(nonce: string, nc: string, now: number): typeof GOOD | typeof OLD | typeof FALSE {
    const said = nonce.slice(0, 16)
    if (!/^[0-9a-f]{16}$/.test(said)) return FALSE
    if (!this.crypto.equal(nonce.slice(16), this.signatureOf(said))) return FALSE
    const age = Math.floor(now / 1000) - Number.parseInt(said.slice(8), 16)
    if (age < 0 || age > NONCE_LIFETIME_S) return OLD
    const used = this.table.use(Number.parseInt(said.slice(0, 8), 16), Number.parseInt(nc, 16))
    if (used === FRESH) return GOOD
    return used === REPLAYED ? FALSE : OLD
  }

  private signatureOf(said: string): string {
    return this.crypto.mac(`nonce ${said} ${this.realm}`).slice(0, SIGNATURE_LENGTH)
  }
}

function hex8(number: number): string {
  return (number >>> 0).toString(16).padStart(8, '0')
}
