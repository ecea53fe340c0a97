// core/auth/htpasswd.ts: lines of htpasswd and htdigest files: who there is, and what proves it.
//
// Reading is cold: configuration checks every line once, workers read them once per generation. A reason never holds
// the hash, nor what stands in its place: a password in plain text is exactly what a wrong line may be.

import { isFieldValue } from '../h1/text.ts'
import { bytesOfText } from '../percent.ts'

export const BCRYPT = 0 // $2a$, $2b$, $2y$
export const MD5_CRYPT = 1 // $apr1$ of Apache, $1$ of crypt(3)
export const SHA1 = 2 // {SHA}, unsalted
export type Scheme = typeof BCRYPT | typeof MD5_CRYPT | typeof SHA1

export interface PasswordEntry {
  readonly user: string // latin1 bytes, as they arrive in a request
  readonly scheme: Scheme
  readonly hash: string
}

// Each step doubles the time: 12 takes 0.3 s in a job thread, 17 ten seconds.
export const BCRYPT_COST_MAX = 16

const bcrypt = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/
const md5Crypt = /^\$(?:apr1|1)\$[^$]{1,8}\$[./A-Za-z0-9]{22}$/
const sha1 = /^\{SHA\}[A-Za-z0-9+/]{27}=$/

// The entry, or why it is none.
export function readPassword(line: string): PasswordEntry | string {
  const colon = line.indexOf(':')
  if (colon < 0) return 'expected user:hash'
  const user = userOf(line.slice(0, colon))
  if (user === '') return 'the name of the user is empty or holds a control character'
  const hash = line.slice(colon + 1)
  const cost = bcrypt.exec(hash)?.[1]
  if (cost !== undefined) {
    if (Number(cost) < 4 || Number(cost) > BCRYPT_COST_MAX)
      return `the cost of bcrypt is ${Number(cost)}: expected 4 to ${BCRYPT_COST_MAX}`
    return { user, scheme: BCRYPT, hash }
  }
  if (md5Crypt.test(hash)) return { user, scheme: MD5_CRYPT, hash }
  if (sha1.test(hash)) return { user, scheme: SHA1, hash: hash.slice(5) }
  return reasonAgainst(hash)
}

function reasonAgainst(hash: string): string {
  const wanted = 'expected bcrypt, MD5 ($apr1$ or $1$) or {SHA}'
  if (hash === '') return `the hash is missing: ${wanted}`
  if (/^\$2[abxy]\$/.test(hash)) return 'the hash of bcrypt is cut off or malformed'
  if (/^\$(?:apr1|1)\$/.test(hash)) return 'the hash of MD5 is cut off or malformed'
  if (hash.startsWith('{SHA}')) return 'the hash of {SHA} is cut off or malformed'
  if (/^\$[56y7]\$|^\$argon2|^\$scrypt|^\{[A-Z0-9-]+\}/.test(hash))
    return `this kind of hash is not supported: ${wanted}`
  if (/^[./A-Za-z0-9]{13}$/.test(hash)) return `crypt(3) and plain text are refused: ${wanted}`
  return `a password in plain text is refused: ${wanted}`
}

export interface DigestEntry {
  readonly user: string
  readonly realm: string
  readonly secret: string // MD5 of user:realm:password, lower-case hexadecimal
}

export function readDigest(line: string): DigestEntry | string {
  const parts = line.split(':')
  if (parts.length !== 3) return 'expected user:realm:hash'
  const [name, realm, secret] = parts as [string, string, string]
  const user = userOf(name)
  if (user === '') return 'the name of the user is empty or holds a control character'
  if (!isFieldValue(bytesOfText(realm))) return 'the realm holds a control character'
  if (!/^[0-9a-fA-F]{32}$/.test(secret))
    return 'the hash is none: expected 32 hexadecimal digits, as htdigest writes them'
  return { user, realm: bytesOfText(realm), secret: secret.toLowerCase() }
}

// '' for a name that could not be passed on in a header.
function userOf(name: string): string {
  const bytes = bytesOfText(name)
  return isFieldValue(bytes) ? bytes : ''
}

export interface FileLine {
  readonly text: string
  readonly number: number // from 1
}

// The lines of a file that mean something.
export function linesOfFile(text: string): FileLine[] {
  const lines: FileLine[] = []
  text.split('\n').forEach((line, at) => {
    const meant = line.trim()
    if (meant !== '' && !meant.startsWith('#')) lines.push({ text: meant, number: at + 1 })
  })
  return lines
}
