// Certificates that a configuration names: read from files or PEM, kept while a pair is being replaced, and their
// keys nowhere but in the plans of workers.

import { copyFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { compile, type Compiled } from '../../config/compile.ts'
import { formatProblem, parseLocated } from '../../config/located.ts'
import { WatchedFiles } from '../../config/providers/watched-files.ts'
import { TestAuthority, type Issued } from '../support/certificates.ts'
import { testFacts } from '../support/facts.ts'
import { eventually } from '../support/wait.ts'

const authority = new TestAuthority()
const shop = authority.issue('shop.example', { names: ['Shop.example', '*.shop.example'] })
const other = authority.issue('other.example')
afterAll(() => authority.remove())

let folder = ''
let files: WatchedFiles | null = null
let changes = 0
let count = 0

beforeEach(() => {
  folder = join(authority.folder, `case${count++}`)
  mkdirSync(folder)
  changes = 0
})

afterEach(() => {
  files?.close()
  files = null
})

const at = (name: string): string => join(folder, name)

function put(issued: Issued, certName = 'tls.crt', keyName = 'tls.key'): void {
  copyFileSync(issued.certFile, at(certName))
  copyFileSync(issued.keyFile, at(keyName))
}

function compiled(text: string): Compiled {
  files ??= new WatchedFiles(() => changes++)
  const documents = new Map([['file', [parseLocated(text, 'tls.yml')]]])
  const supply = { files, issued: [], challenges: [], spiffe: null }
  const result = compile(documents, testFacts(), 1, supply)
  files.settle()
  return result
}

const pair = (certFile: string, keyFile: string): string =>
  `tls:\n  certificates:\n    - certFile: ${JSON.stringify(certFile)}\n      keyFile: ${JSON.stringify(keyFile)}\n`

const certOf = ({ generation }: Compiled): unknown =>
  [...generation.tlsCertificates.values()].map(({ names }) => names.join(' '))

const problemsOf = ({ problems }: Compiled): string[] =>
  problems.filter(({ severity }) => severity === 'error').map(formatProblem)

test('A pair is read from files, with the names of the leaf in lower case', () => {
  put(shop)
  const result = compiled(pair(at('tls.crt'), at('tls.key')))
  expect(problemsOf(result)).toEqual([])
  const [plan] = result.generation.tlsCertificates.values()
  expect(plan).toMatchObject({ names: ['shop.example', '*.shop.example'], ocsp: null })
  expect(plan!.name).toBe(plan!.id)
  expect(plan!.id).toMatch(/^[0-9a-f]{64}$/)
})

test('A pair may be the PEM text itself', () => {
  const result = compiled(pair(shop.certPem, shop.keyPem))
  expect(certOf(result)).toEqual(['shop.example *.shop.example'])
})

test('The certificate of the default store is the default', () => {
  put(shop)
  const store = `tls: {stores: {default: {defaultCertificate: {certFile: ${at('tls.crt')}, keyFile: ${at('tls.key')}}}}}`
  const { generation, status } = compiled(store)
  const [id] = generation.tlsCertificates.keys()
  expect(generation.tlsDefaults.get('default')).toEqual({ name: 'default', certificate: id })
  expect(status.certificates).toMatchObject([{ id, isDefault: true, issued: false }])
})

test('A key that belongs to another certificate is refused at its place, and others are served', () => {
  put(shop)
  const text = pair(at('tls.crt'), other.keyFile) + pair(other.certFile, other.keyFile).slice(21)
  const result = compiled(text)
  expect(certOf(result)).toEqual(['other.example'])
  expect(problemsOf(result)).toEqual([
    expect.stringMatching(/^tls\.yml:3:7: tls\.certificates\[0\]: .*the key does not belong/),
  ])
})

test('A file that is no certificate is not quoted', () => {
  writeFileSync(at('tls.crt'), 'root:x:0:0:a secret line\n')
  const text = problemsOf(compiled(pair(at('tls.crt'), at('tls.crt')))).join()
  expect(text).toContain('no certificate in PEM')
  expect(text).not.toContain('secret')
})

test('A directory, a pipe and a file that is too large stop nobody', () => {
  mkdirSync(at('folder'))
  writeFileSync(at('large'), Buffer.alloc(5 * 1024 * 1024))
  expect(problemsOf(compiled(pair(at('folder'), at('large'))))[0]).toContain('is not a file')
  expect(problemsOf(compiled(pair(at('large'), at('folder'))))[0]).toContain('more than 4194304')
  expect(problemsOf(compiled(pair('/dev/zero', at('folder'))))[0]).toContain('is not a file')
})

test('A replaced pair is noticed, however it is replaced', async () => {
  put(shop)
  const text = pair(at('tls.crt'), at('tls.key'))
  expect(certOf(compiled(text))).toEqual(['shop.example *.shop.example'])
  put(other, 'new.crt', 'new.key')
  renameSync(at('new.crt'), at('tls.crt'))
  renameSync(at('new.key'), at('tls.key'))
  await eventually('the renamed pair', () => changes > 0)
  await eventually('it is used', () => String(certOf(compiled(text))) === 'other.example')
  const before = changes
  put(shop)
  await eventually('the overwritten pair', () => changes > before)
  expect(certOf(compiled(text))).toEqual(['shop.example *.shop.example'])
})

test('Half of a replacement leaves the pair from before in use', async () => {
  put(shop)
  const text = pair(at('tls.crt'), at('tls.key'))
  compiled(text)
  copyFileSync(other.certFile, at('tls.crt'))
  await eventually('the new certificate', () => changes > 0)
  const half = compiled(text)
  expect(certOf(half)).toEqual(['shop.example *.shop.example'])
  expect(problemsOf(half)[0]).toContain('the one from before is kept')
  const before = changes
  copyFileSync(other.keyFile, at('tls.key'))
  await eventually('the new key', () => changes > before)
  const whole = compiled(text)
  expect(certOf(whole)).toEqual(['other.example'])
  expect(problemsOf(whole)).toEqual([])
})

test('A pair that is gone stays in use, and one that comes later is found', async () => {
  put(shop)
  const text = pair(at('tls.crt'), at('tls.key'))
  compiled(text)
  rmSync(at('tls.crt'))
  await eventually('it is gone', () => changes > 0)
  expect(certOf(compiled(text))).toEqual(['shop.example *.shop.example'])
  const later = pair(at('later.crt'), at('later.key'))
  expect(certOf(compiled(later))).toEqual([])
  const before = changes
  put(other, 'later.crt', 'later.key')
  await eventually('it is there', () => changes > before)
  expect(certOf(compiled(later))).toEqual(['other.example'])
})

test('A swapped link, as Kubernetes mounts secrets, is followed', async () => {
  for (const [name, issued] of [
    ['one', shop],
    ['two', other],
  ] as const) {
    mkdirSync(at(name))
    put(issued, `${name}/tls.crt`, `${name}/tls.key`)
  }
  symlinkSync('one', at('..data'))
  symlinkSync('..data/tls.crt', at('tls.crt'))
  symlinkSync('..data/tls.key', at('tls.key'))
  const text = pair(at('tls.crt'), at('tls.key'))
  expect(certOf(compiled(text))).toEqual(['shop.example *.shop.example'])
  symlinkSync('two', at('..data_tmp'))
  renameSync(at('..data_tmp'), at('..data'))
  await eventually('the other link', () => changes > 0)
  expect(certOf(compiled(text))).toEqual(['other.example'])
})

test('What is no longer named is no longer watched', async () => {
  put(shop)
  compiled(pair(at('tls.crt'), at('tls.key')))
  compiled('tls: {}')
  put(other)
  compiled(pair(other.certFile, other.keyFile))
  await new Promise((resolve) => setTimeout(resolve, 500)) // longer than a change takes to be told
  expect(changes).toBe(0)
})

test('No key is in what the API and the log are given', () => {
  const careful =
    `http:\n  serversTransports:\n    t: {certificates: [{certFile: ${shop.certFile}, keyFile: ${JSON.stringify(shop.keyPem)}}]}\n` +
    `  services:\n    s: {loadBalancer: {serversTransport: t, servers: [{url: "https://127.0.0.1:1"}]}}\n` +
    `tcp:\n  serversTransports:\n    t: {tls: {certificates: [{certFile: ${JSON.stringify(shop.certPem)}, keyFile: ${JSON.stringify(other.keyPem)}}]}}\n` +
    `  services:\n    s: {loadBalancer: {serversTransport: t, servers: [{address: "a:1", tls: true}]}}\n`
  const mismatched = pair(shop.certPem, other.keyPem)
  for (const text of [careful, mismatched, pair(shop.keyPem, shop.keyPem)]) {
    const { status, problems } = compiled(text)
    const { routers, services, middlewares, tcp, udp, certificates } = status
    const maps = [routers, services, middlewares, ...Object.values(tcp), ...Object.values(udp)]
    const shown = JSON.stringify([maps.map((map) => [...map]), certificates, problems])
    const lines = [shop, other].flatMap(({ keyPem }) => keyPem.split('\n').slice(1, 3))
    for (const line of lines) expect(shown).not.toContain(line)
    expect(shown).not.toContain('PRIVATE')
  }
})
