// The client against a real authority that refuses 30 % of its nonces.

import { X509Certificate } from 'node:crypto'
import http from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AcmeClient } from '../../certificates/acme/client.ts'
import { generateKey } from '../../certificates/acme/keys.ts'
import { type OrderRequest, obtainCertificate } from '../../certificates/acme/order.ts'
import { renewalWindow } from '../../certificates/acme/renewal-info.ts'
import type { Challenge, Solver } from '../../certificates/challenges/contract.ts'
import { type Transport, requestHttp } from '../../certificates/http.ts'
import { type Pebble, hasPebble, startPebble, withoutPebble } from './pebble.ts'

const nobody = new AbortController().signal
let refusedNonces = 0

const countingTransport: Transport = async (request) => {
  const response = await requestHttp(request)
  if (response.body.includes('acme:error:badNonce')) refusedNonces++
  return response
}

const evilTransport: Transport = async (request) => {
  const response = await requestHttp(request)
  const text = response.body.toString().replace(/"token": "[^"]*"/g, '"token": "../../etc/passwd"')
  return { ...response, body: Buffer.from(text) }
}

async function clientOf(pebble: Pebble): Promise<AcmeClient> {
  return new AcmeClient({
    directoryUrl: pebble.directoryUrl,
    accountKey: await generateKey('EC256'),
    accountUrl: '',
    trust: { ca: [pebble.caPem], serverName: '' },
    timeoutMs: 10_000,
    headerTimeoutMs: 10_000,
    transport: countingTransport,
    now: Date.now,
    signal: nobody,
  })
}

function wanted(names: readonly string[], more: Partial<OrderRequest> = {}): OrderRequest {
  return {
    names,
    keyType: 'EC256',
    commonName: true,
    emails: [],
    preferredChain: '',
    profile: '',
    replaces: '',
    finalizeTimeoutMs: 20_000,
    validateTimeoutMs: 20_000,
    warn: () => {},
    ...more,
  }
}

// Answers http-01 where pebble looks; what it was told to present, and what was cleaned up.
class WebSolver implements Solver {
  readonly kind = 'http-01'
  readonly tokens = new Map<string, string>()
  presented = 0
  private readonly server = http.createServer((request, response) => {
    const token = (request.url ?? '').replace('/.well-known/acme-challenge/', '')
    response.statusCode = this.tokens.has(token) ? 200 : 404
    response.end(this.tokens.get(token) ?? 'no such token')
  })

  async listen(port: number): Promise<void> {
    await new Promise<void>((done) => this.server.listen(port, '127.0.0.1', () => done()))
  }

  close(): void {
    this.server.close()
  }

  async present(challenges: readonly Challenge[]): Promise<void> {
    this.presented += challenges.length
    for (const one of challenges) this.tokens.set(one.token, one.keyAuthorization)
  }

  async cleanup(challenges: readonly Challenge[]): Promise<void> {
    for (const one of challenges) this.tokens.delete(one.token)
  }
}

describe.skipIf(!hasPebble)(`The ACME client (skipped when ${withoutPebble})`, () => {
  let pebble: Pebble
  let client: AcmeClient
  const solver = new WebSolver()

  beforeAll(async () => {
    pebble = await startPebble({ env: { PEBBLE_ALTERNATE_ROOTS: '2' } })
    await solver.listen(pebble.httpPort)
    client = await clientOf(pebble)
    await client.register(['admin@example.org'], null)
  })
  afterAll(() => {
    solver.close()
    pebble?.stop()
  })

  test('It obtains one certificate for several names, and cleans up behind it', async () => {
    const plan = await obtainCertificate(client, wanted(['a.example.org', 'b.example.org']), solver)
    expect([...plan.names].sort()).toEqual(['a.example.org', 'b.example.org'])
    expect(plan.certPem.match(/BEGIN CERTIFICATE/g)!.length).toBeGreaterThan(1)
    expect(solver.presented).toBeGreaterThan(0)
    expect(solver.tokens.size).toBe(0)
  })

  test('Refused nonces are no failures: thirty requests in a row succeed', async () => {
    for (let i = 0; i < 30; i++) await client.post(client.accountUrl, null, 'reading the account')
    expect(refusedNonces).toBeGreaterThan(0)
  })

  test('Every type of key is what the certificate has', async () => {
    for (const [keyType, kind] of [
      ['EC384', 'ec'],
      ['RSA2048', 'rsa'],
    ]) {
      const plan = await obtainCertificate(
        client,
        wanted(['k.example.org'], { keyType: keyType! }),
        solver,
      )
      expect(new X509Certificate(plan.certPem).publicKey.asymmetricKeyType).toBe(kind)
    }
  })

  test('The preferred chain is taken, and a chain that is not offered is told of', async () => {
    const own = await obtainCertificate(client, wanted(['c.example.org']), solver)
    const roots = await Promise.all([0, 1, 2].map((index) => pebbleRoot(pebble, index)))
    const other = roots.find((name) => name !== topOf(own.certPem))!
    const chosen = await obtainCertificate(
      client,
      wanted(['c.example.org'], { preferredChain: other }),
      solver,
    )
    expect(topOf(chosen.certPem)).toBe(other)
    const warnings: string[] = []
    const warn = (text: string) => void warnings.push(text)
    await obtainCertificate(
      client,
      wanted(['c.example.org'], { preferredChain: 'No CA', warn }),
      solver,
    )
    expect(warnings).toHaveLength(1)
  })

  test('A challenge that fails ends the order with the reason of the authority', async () => {
    const silent: Solver = {
      kind: 'http-01',
      present: async () => {},
      cleanup: async () => {},
    }
    const order = obtainCertificate(client, wanted(['failing.example.org']), silent)
    await expect(order).rejects.toThrow(/proving failing\.example\.org by http-01: unauthorized/)
  })

  test('A name that the authority refuses ends the order with its reason', async () => {
    const order = obtainCertificate(client, wanted(['blocked.example.org']), solver)
    await expect(order).rejects.toThrow(/ordering blocked\.example\.org: 400 /)
  })

  test('A solver of another kind than the authority offers for a wildcard is refused', async () => {
    const order = obtainCertificate(client, wanted(['*.example.org']), solver)
    await expect(order).rejects.toThrow('the authority offers dns-01, not http-01')
  })

  test('A token that is no token never reaches a solver', async () => {
    const hostile = new AcmeClient({
      ...client.options,
      accountUrl: client.accountUrl,
      transport: evilTransport,
    })
    const before = solver.presented
    const order = obtainCertificate(hostile, wanted(['evil.example.org']), solver)
    await expect(order).rejects.toThrow('unusable token')
    expect(solver.presented).toBe(before)
  })

  test('An account is found again by its key', async () => {
    const again = await clientOf(pebble)
    const key = client.options.accountKey
    const same = new AcmeClient({ ...again.options, accountKey: key })
    await same.register(['admin@example.org'], null)
    expect(same.accountUrl).toBe(client.accountUrl)
  })

  test('An authority without renewal information is asked for none', async () => {
    expect(await renewalWindow(client, 'never read')).toBeNull()
  })
})

// The common name of the root.
async function pebbleRoot(pebble: Pebble, index: number): Promise<string> {
  const trust = { ca: [pebble.caPem], serverName: '' }
  const url = `${pebble.managementUrl}/roots/${index}`
  const { body } = await requestHttp({ method: 'GET', url, trust })
  return commonName(new X509Certificate(body).subject)
}

// The common name of whoever issued the last certificate.
function topOf(pem: string): string {
  const last = pem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g)!.at(-1)!
  return commonName(new X509Certificate(last).issuer)
}

function commonName(text: string): string {
  return /^CN=(.+)$/m.exec(text)![1]!
}

describe.skipIf(!hasPebble)(`External accounts (skipped when ${withoutPebble})`, () => {
  const secret = Buffer.from('a secret of thirty-two bytes, no').toString('base64url')
  let pebble: Pebble

  beforeAll(async () => {
    pebble = await startPebble({ externalKeys: { 'kid-1': secret } })
  })
  afterAll(() => pebble?.stop())

  test('An authority that wants one is told whose account it is', async () => {
    const client = await clientOf(pebble)
    await client.register([], { kid: 'kid-1', hmacEncoded: secret })
    expect(client.accountUrl).toMatch(/^https:/)
  })

  test('Without one, and with a wrong key, registering fails and says why', async () => {
    const client = await clientOf(pebble)
    await expect(client.register([], null)).rejects.toThrow('wants an external account')
    const wrong = { kid: 'kid-1', hmacEncoded: Buffer.from('wrong').toString('base64url') }
    const fault = await client.register([], wrong).catch(String)
    expect(fault).toContain('registering')
    expect(fault).not.toContain(wrong.hmacEncoded)
  })
})
