// core/middleware/crypto.ts: the cryptography that middlewares are given; core itself has none.
//
// The worker implements it (workers/crypto.ts). Text is latin1: character i is byte i. Hot: no; each call costs a hash.

import type { Cancel } from './worker.ts'

export type PasswordVerdict = (isRight: boolean, failed: boolean) => void

export interface CryptoServices {
  md5(text: string): string // hexadecimal
  sha1(text: string): string // base64
  // HMAC-SHA-256 with a key that the workers of this process share and nobody else has; base64url.
  mac(text: string): string
  equal(a: string, b: string): boolean // in a time that does not tell where they differ
  random(bytes: number): string // hexadecimal
  // In a job thread: `hash` is one of bcrypt or MD5 (core/auth/htpasswd.ts). `done` is called once, never within the call
  // and not after Cancel; `failed`: it could not be computed. null: too many wait already.
  checkPassword(hash: string, password: string, done: PasswordVerdict): Cancel | null
}
