// config/compile/tls/names.ts: Go's names of versions, cipher suites and curves, which Traefik's configuration
// uses, as OpenSSL's. Hot: no.

import { createSecureContext, getCiphers } from 'node:tls'
import { nearestKey } from '../../nearest.ts'
import type { TlsVersion } from '../../protocol-plans.ts'

const versions = new Map<string, TlsVersion>([
  ['VersionTLS10', 'TLSv1'],
  ['VersionTLS11', 'TLSv1.1'],
  ['VersionTLS12', 'TLSv1.2'],
  ['VersionTLS13', 'TLSv1.3'],
])

const order: readonly TlsVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

export const isAbove = (one: TlsVersion, other: TlsVersion): boolean =>
  order.indexOf(one) > order.indexOf(other)

// Only with TLS 1.3; Go, and so Traefik, offers all three whatever a list says. So do we, unless it names some.
const suites13 = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
] as const

const strong = new Map([
  ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-RSA-CHACHA20-POLY1305'],
])

// Without forward secrecy, or with CBC: accepted with a warning.
const weak = new Map([
  ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA', 'ECDHE-ECDSA-AES128-SHA'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA', 'ECDHE-ECDSA-AES256-SHA'],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256', 'ECDHE-ECDSA-AES128-SHA256'],
  ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', 'ECDHE-RSA-AES128-SHA'],
  ['TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA', 'ECDHE-RSA-AES256-SHA'],
  ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256', 'ECDHE-RSA-AES128-SHA256'],
  ['TLS_RSA_WITH_AES_128_CBC_SHA', 'AES128-SHA'],
  ['TLS_RSA_WITH_AES_256_CBC_SHA', 'AES256-SHA'],
  ['TLS_RSA_WITH_AES_128_CBC_SHA256', 'AES128-SHA256'],
  ['TLS_RSA_WITH_AES_128_GCM_SHA256', 'AES128-GCM-SHA256'],
  ['TLS_RSA_WITH_AES_256_GCM_SHA384', 'AES256-GCM-SHA384'],
])

// Traefik knows them; no OpenSSL of today is built with them.
const gone = new Set([
  'TLS_RSA_WITH_RC4_128_SHA',
  'TLS_RSA_WITH_3DES_EDE_CBC_SHA',
  'TLS_ECDHE_ECDSA_WITH_RC4_128_SHA',
  'TLS_ECDHE_RSA_WITH_RC4_128_SHA',
  'TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA',
])

const curves = new Map([
  ['curvep256', 'P-256'],
  ['secp256r1', 'P-256'],
  ['curvep384', 'P-384'],
  ['secp384r1', 'P-384'],
  ['curvep521', 'P-521'],
  ['secp521r1', 'P-521'],
  ['x25519', 'X25519'],
  ['x25519mlkem768', 'X25519MLKEM768'],
  ['secp256r1mlkem768', 'SecP256r1MLKEM768'],
  ['secp384r1mlkem1024', 'SecP384r1MLKEM1024'],
])
const curveNames = [
  'CurveP256',
  'CurveP384',
  'CurveP521',
  'X25519',
  'X25519MLKEM768',
  'SecP256r1MLKEM768',
  'SecP384r1MLKEM1024',
]

export interface Finding {
  readonly at: number // in the list; -1 for a value that is none
  readonly severity: 'error' | 'warning'
  readonly message: string
  readonly hint: string
}

const finding = (
  at: number,
  message: string,
  hint = '',
  severity: Finding['severity'] = 'error',
): Finding => ({ at, severity, message, hint })

const shown = (name: string): string => JSON.stringify(name.slice(0, 100))

export function versionOf<Unset extends string>(
  name: string,
  unset: Unset,
  findings: Finding[],
): TlsVersion | Unset {
  if (name === '') return unset
  const version = versions.get(name)
  if (version === undefined) {
    const known = [...versions.keys()]
    const message = `${shown(name)} is no version of TLS: expected one of ${known.join(', ')}`
    findings.push(finding(-1, message, nearestKey(name, known)))
    return unset
  }
  if (isAbove('TLSv1.2', version)) {
    findings.push(finding(-1, `${name} is obsolete and weak (RFC 8996)`, '', 'warning'))
  }
  return version
}

// '' stands for the choice that Sluice makes.
export function ciphersOf(names: readonly string[], findings: Finding[]): string {
  if (names.length === 0) return ''
  const chosen: string[] = []
  names.forEach((name, at) => {
    const known = cipherOf(name, at, findings)
    if (known !== '') chosen.push(known)
  })
  const named13 = chosen.some((name) => name.startsWith('TLS_'))
  return [...new Set(named13 ? chosen : [...suites13, ...chosen])].join(':')
}

function cipherOf(name: string, at: number, findings: Finding[]): string {
  if ((suites13 as readonly string[]).includes(name)) return name
  const known = strong.get(name) ?? weak.get(name)
  if (known === undefined || !hasCipher(known)) {
    const isGone = gone.has(name) || known !== undefined
    const hint = isGone ? '' : nearestKey(name, [...suites13, ...strong.keys(), ...weak.keys()])
    const state = isGone ? 'is insecure and not in this OpenSSL' : 'is not known'
    findings.push(finding(at, `the cipher suite ${shown(name)} ${state}`, hint))
    return ''
  }
  if (weak.has(name)) {
    findings.push(finding(at, `the cipher suite ${name} is weak`, '', 'warning'))
  }
  return known
}

let ciphersHere: Set<string> | null = null

function hasCipher(name: string): boolean {
  ciphersHere ??= new Set(getCiphers())
  return ciphersHere.has(name.toLowerCase())
}

export function curvesOf(names: readonly string[], findings: Finding[]): string {
  const chosen: string[] = []
  names.forEach((name, at) => {
    const curve = curves.get(name.toLowerCase())
    if (curve === undefined) {
      const message = `the curve ${shown(name)} is not known`
      findings.push(finding(at, message, nearestKey(name, curveNames)))
    } else if (hasCurve(curve)) chosen.push(curve)
    else findings.push(finding(at, `the curve ${name} is not in this OpenSSL`))
  })
  return [...new Set(chosen)].join(':')
}

const curvesHere = new Map<string, boolean>()

function hasCurve(name: string): boolean {
  const before = curvesHere.get(name)
  if (before !== undefined) return before
  let has = true
  try {
    createSecureContext({ ecdhCurve: name })
  } catch {
    has = false
  }
  curvesHere.set(name, has)
  return has
}
