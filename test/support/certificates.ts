// test/support/certificates.ts: certificates for tests, made by openssl once per test file, in a folder of their own.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { X509Certificate } from 'node:crypto'
import type { CertificatePlan } from '../../config/protocol-plans.ts'

export interface Issued {
  readonly name: string
  readonly certFile: string
  readonly keyFile: string
  readonly certPem: string
  readonly keyPem: string
}

export interface Wanted {
  readonly names?: readonly string[] // 'a.example', 'IP:127.0.0.1', 'URI:spiffe://x/y'; [] for no extension
  readonly rawName?: string // a DNS name that openssl would not write
  readonly key?: 'ec' | 'rsa'
  readonly days?: number // negative: expired
}

// One root and what it issues.
export class TestAuthority {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'))
  readonly root: Issued
  private count = 0

  constructor(name = 'Test Root') {
    const { certFile, keyFile } = this.files('root')
    openssl(
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout ${keyFile} -out ${certFile}`,
      ['-subj', `/CN=${name}`, '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    )
    this.root = read(name, certFile, keyFile)
  }

  issue(subject: string, wanted: Wanted = {}): Issued {
    const { certFile, keyFile } = this.files(`leaf${this.count++}`)
    const requestFile = certFile + '.csr'
    const key =
      wanted.key === 'rsa' ? '-newkey rsa:2048' : '-newkey ec -pkeyopt ec_paramgen_curve:P-256'
    openssl(`req -new ${key} -nodes -keyout ${keyFile} -out ${requestFile}`, [
      '-subj',
      subject.startsWith('/') ? subject : `/CN=${subject}`,
    ])
    const extFile = certFile + '.ext'
    writeFileSync(extFile, extensions(wanted.names ?? [subject], wanted.rawName))
    const dates = `-days ${wanted.days ?? 30}`
    const { root } = this
    openssl(
      `x509 -req -in ${requestFile} -CA ${root.certFile} -CAkey ${root.keyFile} -CAcreateserial ${dates} -extfile ${extFile} -out ${certFile}`,
      [],
    )
    return read(subject, certFile, keyFile)
  }

  private files(name: string): { certFile: string; keyFile: string } {
    return { certFile: join(this.folder, name + '.pem'), keyFile: join(this.folder, name + '.key') }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function extensions(names: readonly string[], rawName?: string): string {
  if (rawName !== undefined) return `subjectAltName=DER:${dnsName(rawName)}\n`
  if (names.length === 0) return 'basicConstraints=CA:FALSE\n'
  const sans = names.map((name) => (/^(IP|URI|DNS|email):/.test(name) ? name : `DNS:${name}`))
  return `subjectAltName=${sans.join(',')}\nbasicConstraints=CA:FALSE\n`
}

// GeneralNames { [2] IA5String }, RFC 5280, section 4.2.1.6: below 128 bytes.
function dnsName(text: string): string {
  const bytes = Buffer.from(text, 'latin1')
  const name = Buffer.from([0x82, bytes.length, ...bytes])
  return Buffer.from([0x30, name.length, ...name]).toString('hex')
}

function openssl(command: string, more: readonly string[]): void {
  execFileSync('openssl', [...command.split(' '), ...more], { stdio: 'pipe' })
}

function read(name: string, certFile: string, keyFile: string): Issued {
  const certPem = readFileSync(certFile, 'utf8')
  return { name, certFile, keyFile, certPem, keyPem: readFileSync(keyFile, 'utf8') }
}

export function certificatePlan(issued: Issued): CertificatePlan {
  const parsed = new X509Certificate(issued.certPem)
  const sans = (parsed.subjectAltName ?? '').split(', ')
  return {
    name: issued.name,
    id: parsed.fingerprint256.replaceAll(':', '').toLowerCase(),
    names: sans.map((san) => san.replace(/^(DNS|IP Address):/, '').toLowerCase()),
    certPem: issued.certPem,
    keyPem: issued.keyPem,
    notAfter: Date.parse(parsed.validTo),
    ocsp: null,
  }
}
