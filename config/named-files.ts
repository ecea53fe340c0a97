// config/named-files.ts: files that a configuration names: certificates, keys, authorities.
//
// As in Traefik a value is either the path of a file or the PEM text itself. The compiler asks here for both; a
// gateway that runs gives it WatchedFiles (config/providers/watched-files.ts), which notice changes. Hot: no.

import { closeSync, fstatSync, openSync, readSync, constants } from 'node:fs'
import { CertificateError, certificatePlan } from './certificate-facts.ts'
import type { CertificatePlan } from './protocol-plans.ts'

export const namedFileBytesMax = 4 * 1024 * 1024 // a bundle of all public authorities has 250 KiB

export interface FileText {
  readonly text: string
  readonly fault: string // '' when it was read
}

export interface Pair {
  readonly plan: CertificatePlan | null
  readonly fault: string // with a plan: it is the one from before, kept
}

export interface NamedFiles {
  read(pathOrPem: string): FileText
  pair(certificate: string, key: string): Pair
}

export function isPem(value: string): boolean {
  return value.includes('-----BEGIN ')
}

// Opened without waiting, so that a path that leads to a pipe or a device stops nobody.
export function readNamedFile(path: string): FileText {
  const wrong = (fault: string): FileText => ({ text: '', fault })
  let file = -1
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = fstatSync(file)
    if (!stat.isFile()) return wrong('is not a file')
    if (stat.size > namedFileBytesMax) return wrong(`has more than ${namedFileBytesMax} bytes`)
    return { text: readWhole(file, stat.size), fault: '' }
  } catch (error) {
    return wrong(reasonOf(error))
  } finally {
    if (file >= 0) closeSync(file)
  }
}

function readWhole(file: number, size: number): string {
  const bytes = Buffer.alloc(size)
  let at = 0
  while (at < size) {
    const count = readSync(file, bytes, at, size - at, at)
    if (count === 0) break
    at += count
  }
  return bytes.toString('utf8', 0, at)
}

function reasonOf(error: unknown): string {
  const { code = '' } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist'
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read'
  return `cannot be read (${code})`
}

// What a message calls it: PEM text never appears in one.
export function shownName(pathOrPem: string): string {
  if (isPem(pathOrPem)) return 'the PEM text'
  return JSON.stringify(pathOrPem.length > 200 ? `${pathOrPem.slice(0, 200)}...` : pathOrPem)
}

export function readPair(read: NamedFiles['read'], certificate: string, key: string): Pair {
  const wrong = (fault: string): Pair => ({ plan: null, fault })
  if (certificate === '') return wrong('certFile is missing')
  if (key === '') return wrong('keyFile is missing')
  const certPem = read(certificate)
  if (certPem.fault !== '') return wrong(`certFile ${shownName(certificate)} ${certPem.fault}`)
  const keyPem = read(key)
  if (keyPem.fault !== '') return wrong(`keyFile ${shownName(key)} ${keyPem.fault}`)
  try {
    return { plan: certificatePlan(certPem.text, keyPem.text), fault: '' }
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    return wrong(`certFile ${shownName(certificate)}: ${error.message}`)
  }
}

// Read when they are asked for, and not again: for commands that look once.
export const filesNow: NamedFiles = {
  read: (given) => (isPem(given) ? { text: given, fault: '' } : readNamedFile(given)),
  pair: (certificate, key) => readPair(filesNow.read, certificate, key),
}
