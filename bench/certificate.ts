// bench/certificate.ts: the certificate with which all peers speak TLS: one EC P-256 key, so that a handshake costs
// each of them the same.

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { findProgram } from './cores.ts'
import { makeWorkFolder } from './folders.ts'

export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
  readonly bothFile: string // HAProxy wants them in one
}

export function benchCertificate(): Certificate {
  const folder = makeWorkFolder('tls')
  const certificate = {
    certFile: path.join(folder, 'cert.pem'),
    keyFile: path.join(folder, 'key.pem'),
    bothFile: path.join(folder, 'both.pem'),
  }
  if (!existsSync(certificate.bothFile)) make(certificate)
  return certificate
}

function make({ certFile, keyFile, bothFile }: Certificate): void {
  const openssl = findProgram('openssl')
  if (openssl === null) throw new Error('openssl is not installed: no certificate, no TLS')
  const request = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench.test
    -addext subjectAltName=DNS:bench.test`
  const files = ['-keyout', keyFile, '-out', certFile]
  execFileSync(openssl, request.split(/\s+/).concat(files), { stdio: 'ignore' })
  execFileSync('/bin/sh', ['-c', 'cat "$1" "$2" > "$3"', 'sh', certFile, keyFile, bothFile])
}
