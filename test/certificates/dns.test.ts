// RFC 2136 and propagation against a name server on loopback, which nsupdate (of BIND) agrees with.

import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DnsSolver } from '../../certificates/challenges/dns-01.ts'
import type { Challenge } from '../../certificates/challenges/contract.ts'
import type { DnsProvider, TxtRecord } from '../../certificates/dns-providers/contract.ts'
import { Environment } from '../../certificates/dns-providers/environment.ts'
import { rfc2136 } from '../../certificates/dns-providers/rfc2136.ts'
import { Lookup } from '../../certificates/dns/lookup.ts'
import { tsigKey } from '../../certificates/dns/tsig.ts'
import { requestHttp } from '../../certificates/http.ts'
import { pause } from '../../certificates/pause.ts'
import { NameServer, type NameServerOptions } from './name-server.ts'

const ZONE = 'example.org'
const SECRET = Buffer.from('a secret of thirty-two bytes, no').toString('base64')
const key = tsigKey('acme', 'hmac-sha256', SECRET)
const nobody = new AbortController().signal
const hasNsupdate = spawnSync('nsupdate', ['-V']).status === 0

async function nameServer(more: Partial<NameServerOptions> = {}): Promise<NameServer> {
  const server = await new NameServer({ zone: ZONE, ...more }).listen()
  onTestFinished(() => server.close())
  return server
}

function providerFor(server: NameServer, more: Record<string, string> = {}): DnsProvider {
  const variables = {
    RFC2136_NAMESERVER: `127.0.0.1:${server.port}`,
    RFC2136_TSIG_KEY: 'acme.',
    RFC2136_TSIG_SECRET: SECRET,
    RFC2136_TSIG_ALGORITHM: 'hmac-sha256.',
    RFC2136_DNS_TIMEOUT: '2',
    ...more,
  }
  const environment = new Environment(variables, 'rfc2136')
  return rfc2136({ environment, transport: requestHttp, now: Date.now, pause })
}

function record(value: string, name = '_acme-challenge.a.example.org'): TxtRecord {
  return { name, value, domain: 'a.example.org', token: 't', keyAuthorization: 't.k' }
}

describe('RFC 2136', () => {
  test('A signed update puts a record, and takes that one alone away', async () => {
    const server = await nameServer({ key })
    const provider = providerFor(server)
    await provider.present(record('one'), nobody)
    await provider.present(record('two'), nobody)
    expect([...server.texts.get('_acme-challenge.a.example.org')!]).toEqual(['one', 'two'])
    await provider.cleanup(record('one'), nobody)
    expect([...server.texts.get('_acme-challenge.a.example.org')!]).toEqual(['two'])
  })

  test.skipIf(!hasNsupdate)(
    'nsupdate and we sign and verify alike (skipped when nsupdate is not installed)',
    async () => {
      const server = await nameServer({ key })
      const run = promisify(execFile)('nsupdate', ['-y', `hmac-sha256:acme:${SECRET}`])
      const script = [
        `server 127.0.0.1 ${server.port}`,
        `zone ${ZONE}`,
        'update add x.example.org. 60 TXT "by nsupdate"',
        'send',
        'answer',
        'quit',
      ]
      run.child.stdin!.end(script.join('\n') + '\n')
      const { stdout, stderr } = await run
      expect(stdout + stderr).toMatch(/NOERROR/)
      expect(stdout + stderr).not.toMatch(/TSIG error|verify failure|BADSIG/)
      expect([...server.texts.get('x.example.org')!]).toEqual(['by nsupdate'])
    },
  )

  test('Answers that are cut come over TCP', async () => {
    const server = await nameServer({ key, isBrief: true })
    await providerFor(server).present(record('one'), nobody)
    expect(server.overTcp).toBeGreaterThan(1)
    expect([...server.texts.get('_acme-challenge.a.example.org')!]).toEqual(['one'])
  })

  test('A wrong secret, a signature that does not fit, and no key at all are refused', async () => {
    const server = await nameServer({ key })
    const wrong = { RFC2136_TSIG_SECRET: Buffer.from('wrong').toString('base64') }
    await expect(providerFor(server, wrong).present(record('x'), nobody)).rejects.toThrow(
      'not signed',
    )
    const none = providerFor(server, { RFC2136_TSIG_KEY: '' })
    await expect(none.present(record('x'), nobody)).rejects.toThrow('REFUSED')
    const liar = await nameServer({ key, wrongSignature: true })
    await expect(providerFor(liar).present(record('x'), nobody)).rejects.toThrow(
      'signature of the answer is wrong',
    )
    expect(server.updates).toBe(0)
  })

  test('A name that no zone of the server has is an error that names it', async () => {
    const server = await nameServer({ key })
    const foreign = record('x', '_acme-challenge.other.net')
    await expect(providerFor(server).present(foreign, nobody)).rejects.toThrow('other.net')
  })

  test('A server that is away is an error within the time that is set', async () => {
    const server = await new NameServer({ zone: ZONE }).listen()
    server.close()
    const started = performance.now()
    await expect(providerFor(server).present(record('x'), nobody)).rejects.toThrow('127.0.0.1')
    expect(performance.now() - started).toBeLessThan(6000)
  })
})

function challenge(name: string, token = 'token'): Challenge {
  return { kind: 'dns-01', name, token, keyAuthorization: `${token}.thumb` }
}

interface Solving {
  readonly solver: DnsSolver
  readonly warnings: string[]
}

function solve(
  server: NameServer,
  more: { delayMs?: number; authoritative?: boolean } = {},
): Solving {
  const warnings: string[] = []
  const at = { host: '127.0.0.1', port: server.port }
  const times = { RFC2136_PROPAGATION_TIMEOUT: '3', RFC2136_POLLING_INTERVAL: '0' }
  const solver = new DnsSolver({
    provider: providerFor(server, times),
    lookup: new Lookup([at], server.port),
    propagation: {
      delayMs: more.delayMs ?? 0,
      authoritative: more.authoritative ?? true,
      resolvers: true,
    },
    now: Date.now,
    warn: (message) => void warnings.push(message),
  })
  return { solver, warnings }
}

describe('dns-01', () => {
  test('The authority is told only once every server of the zone has the record', async () => {
    const server = await nameServer({ key })
    const { solver } = solve(server)
    server.hideTexts = 3
    await solver.present([challenge('a.example.org')], nobody)
    expect(server.hideTexts).toBeLessThanOrEqual(0)
    const [value] = server.texts.get('_acme-challenge.a.example.org')!
    expect(value).toMatch(/^[\w-]{43}$/)
  })

  test('A name and its wildcard have two values of one record, and both are taken away', async () => {
    const server = await nameServer({ key })
    const { solver, warnings } = solve(server)
    const both = [challenge('a.example.org', 'one'), challenge('a.example.org', 'two')]
    await solver.present(both, nobody)
    expect(server.texts.get('_acme-challenge.a.example.org')!.size).toBe(2)
    await solver.cleanup(both)
    expect(server.texts.get('_acme-challenge.a.example.org')!.size).toBe(0)
    expect(warnings).toEqual([])
  })

  test('A record that never shows fails with the server that lacks it', async () => {
    const server = await nameServer({ key })
    const { solver } = solve(server)
    server.hideTexts = Infinity
    const present = solver.present([challenge('a.example.org')], nobody)
    await expect(present).rejects.toThrow(`in time: 127.0.0.1:${server.port}`)
    await solver.cleanup([challenge('a.example.org')])
  })

  test('An alias of _acme-challenge is followed to where the record must be', async () => {
    const target = 'a.acme.example.org'
    const server = await nameServer({ key, aliases: { '_acme-challenge.shop.net': target } })
    const { solver } = solve(server)
    await solver.present([challenge('shop.net')], nobody)
    expect(server.texts.get(target)!.size).toBe(1)
  })

  test('What can not be taken away is told of, and fails nothing', async () => {
    const server = await new NameServer({ zone: ZONE, key }).listen()
    const { solver, warnings } = solve(server)
    const one = challenge('a.example.org')
    await solver.present([one], nobody)
    server.close()
    await solver.cleanup([one])
    expect(warnings[0]).toContain('_acme-challenge.a.example.org is left behind')
  })
})
