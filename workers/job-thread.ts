// workers/job-thread.ts: what a job thread computes: whether a password fits its hash.
//
// It knows nothing but the job that it was given. Hot: no; see jobs.ts.

import { Buffer } from 'node:buffer'
import { createHash, timingSafeEqual } from 'node:crypto'
import { compareSync } from 'bcryptjs'
import type { PasswordJob } from './jobs.ts'

export default function checkPassword({ hash, password }: PasswordJob): boolean {
  const bytes = Buffer.from(password, 'latin1')
  if (hash.startsWith('$2')) return compareSync(bytes.toString('utf8'), hash)
  const [, magic = '', salt = ''] = hash.split('$')
  const made = md5Crypt(bytes, Buffer.from(salt, 'utf8'), `$${magic}$`)
  const [expected, found] = [Buffer.from(hash), Buffer.from(`$${magic}$${salt}$${made}`)]
  return expected.length === found.length && timingSafeEqual(expected, found)
}

const ROUNDS = 1000

function md5(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('md5')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

// Poul-Henning Kamp's scheme of FreeBSD 2, with the magic of crypt(3) or of Apache.
function md5Crypt(password: Buffer, salt: Buffer, magic: string): string {
  const parts: Uint8Array[] = [password, Buffer.from(magic), salt]
  const alternate = md5(password, salt, password)
  for (let left = password.length; left > 0; left -= 16)
    parts.push(alternate.subarray(0, Math.min(16, left)))
  for (let length = password.length; length > 0; length >>= 1)
    parts.push((length & 1) === 1 ? Buffer.alloc(1) : password.subarray(0, 1))
  let digest = md5(...parts)
  for (let round = 0; round < ROUNDS; round++) {
    const isOdd = (round & 1) === 1
    const pieces: Uint8Array[] = [isOdd ? password : digest]
    if (round % 3 !== 0) pieces.push(salt)
    if (round % 7 !== 0) pieces.push(password)
    pieces.push(isOdd ? digest : password)
    digest = md5(...pieces)
  }
  return encoded(digest)
}

const LETTERS = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

// Three bytes make four letters, in an order of its own; the last byte makes two.
function encoded(digest: Buffer): string {
  let text = ''
  for (let i = 0; i < 5; i++) {
    const last = i === 4 ? 5 : 12 + i
    text += letters((digest[i]! << 16) | (digest[i + 6]! << 8) | digest[last]!, 4)
  }
  return text + letters(digest[11]!, 2)
}

function letters(value: number, count: number): string {
  let text = ''
  for (let i = 0; i < count; i++) text += LETTERS[(value >> (6 * i)) & 63]
  return text
}
