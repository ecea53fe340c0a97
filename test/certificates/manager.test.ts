// The manager as the gateway uses it: wishes in, certificates out, with pebble as the authority and acme.json on disk.

import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type HttpRequest, type HttpResponse, requestHttp } from '../../certificates/http.ts'
import { generateSelfSigned } from '../../certificates/self-signed.ts'
import { CertificateManager, type ManagerOptions } from '../../certificates/manager/manager.ts'
import type { CertificatePlan } from '../../config/protocol-plans.ts'
import { staticSchema } from '../../config/static.ts'
import { eventually } from '../support/wait.ts'
import { ChallengeAnswers } from './challenge-answers.ts'
import { type Pebble, hasPebble, startPebble, withoutPebble } from './pebble.ts'

interface Managed {
  readonly manager: CertificateManager
  readonly log: string[]
  plans(): readonly CertificatePlan[]
}

function wish(...names: string[]) {
  return { resolver: 'le', names, by: 'shop@file' }
}

const silent = async () => {}

async function busyAuthority(request: HttpRequest): Promise<HttpResponse> {
  if (!request.url.endsWith('/order-plz')) return requestHttp(request)
  const problem = { type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many' }
  const headers = { 'retry-after': '7200', 'content-type': 'application/problem+json' }
  return { status: 429, headers, body: Buffer.from(JSON.stringify(problem)) }
}

describe.skipIf(!hasPebble)(`The manager (skipped when ${withoutPebble})`, () => {
  let pebble: Pebble
  let folder = ''
  let storage = ''
  const answers = new ChallengeAnswers()

  beforeAll(async () => {
    pebble = await startPebble()
    await answers.listen(pebble.httpPort, pebble.tlsPort)
    folder = mkdtempSync(join(tmpdir(), 'sluice-acme-'))
  })
  afterAll(() => {
    answers.close()
    pebble?.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  beforeEach(({ task }) => {
    storage = join(folder, `${task.id}.json`)
  })

  async function manage(acme: object, more: Partial<ManagerOptions> = {}): Promise<Managed> {
    const log: string[] = []
    let plans: readonly CertificatePlan[] = []
    const say = (message: string) => void log.push(message)
    const base = { caServer: pebble.directoryUrl, caCertificates: [pebble.caPem], storage }
    const resolvers = {
      le: { acme: { ...base, keyType: 'EC256', email: 'a@example.org', ...acme } },
    }
    const manager = new CertificateManager({
      resolvers: staticSchema.parse({ certificatesResolvers: resolvers }).certificatesResolvers,
      environment: {},
      log: { debug: say, info: say, warn: say, error: say },
      onCertificates: (now) => void (plans = now),
      publishChallenges: answers.publish,
      ...more,
    })
    onTestFinished(() => manager.close())
    await manager.start()
    return { manager, log, plans: () => plans }
  }

  test.each(['httpChallenge', 'tlsChallenge'])('%s brings what a router wishes', async (kind) => {
    const { manager, plans, log } = await manage({ [kind]: {} })
    const name = `${kind.toLowerCase()}.example.org`
    manager.want([wish(name)], [])
    await eventually(`a certificate\n${log.join('\n')}`, () => plans().length === 1)
    expect(plans()[0]!.names).toEqual([name])
    expect(answers.seen).toBeGreaterThan(0)
    await eventually('the answers to be gone', () => answers.plans.length === 0)
    expect(manager.status()).toMatchObject([
      {
        resolver: 'le',
        names: [name],
        by: ['shop@file'],
        state: 'valid',
        failures: 0,
        lastError: '',
      },
    ])
  })

  test('dnsChallenge brings a wildcard with its bare name, through a program of the operator', async () => {
    const program = join(folder, 'hook')
    // $1: present or cleanup; $2: the name with a dot at the end; $3: the value
    const lines = [
      '#!/bin/sh',
      'echo "$1" >> "$0.log"',
      '[ "$1" = present ] && path=set-txt || path=clear-txt',
      `exec curl -sf -d '{"host":"'"$2"'","value":"'"$3"'"}' "${pebble.dnsManagementUrl}/$path"`,
    ]
    writeFileSync(program, lines.join('\n'), { mode: 0o755 })
    const dnsChallenge = {
      provider: 'exec',
      resolvers: [`127.0.0.1:${pebble.dnsPort}`],
      propagation: { disableChecks: true },
    }
    const { manager, plans, log } = await manage(
      { dnsChallenge },
      { environment: { EXEC_PATH: program } },
    )
    manager.want([wish('*.wild.example.org', 'wild.example.org')], [])
    await eventually(`a certificate\n${log.join('\n')}`, () => plans().length === 1)
    expect([...plans()[0]!.names].sort()).toEqual(['*.wild.example.org', 'wild.example.org'])
    await eventually('both to be taken away', () => {
      return readFileSync(`${program}.log`, 'utf8') === 'present\npresent\ncleanup\ncleanup\n'
    })
  })

  test('The next life of the gateway has the certificate at once and orders nothing', async () => {
    const first = await manage({ httpChallenge: {} })
    first.manager.want([wish('twice.example.org')], [])
    await eventually('a certificate', () => first.plans().length === 1)
    await first.manager.close()
    expect(statSync(storage).mode & 0o777).toBe(0o600)
    const second = await manage({ httpChallenge: {} })
    expect(second.plans().map(({ id }) => id)).toEqual(first.plans().map(({ id }) => id))
    second.manager.want([wish('twice.example.org')], [])
    await eventually('the state', () => second.manager.status()[0]?.state === 'valid')
    expect(second.log.join('\n')).not.toContain('ordering')
  })

  test('A second certificate is ordered with the account of the first', async () => {
    const { manager, plans } = await manage({ httpChallenge: {} })
    manager.want([wish('one.example.org')], [])
    await eventually('a certificate', () => plans().length === 1)
    const before = JSON.parse(readFileSync(storage, 'utf8'))
    manager.want([wish('one.example.org'), wish('two.example.org')], [])
    await eventually('another', () => plans().length === 2)
    const after = JSON.parse(readFileSync(storage, 'utf8'))
    expect(after.le.Account).toEqual(before.le.Account)
    expect(after.le.Certificates).toHaveLength(2)
  })

  test('A certificate is renewed before its end, and the old one serves until then', async () => {
    const first = await manage({ httpChallenge: {} })
    first.manager.want([wish('renew.example.org')], [])
    await eventually('a certificate', () => first.plans().length === 1)
    const { id, notAfter } = first.plans()[0]!
    await first.manager.close()
    const now = () => notAfter - 86_400_000
    const second = await manage({ httpChallenge: {} }, { now })
    expect(second.plans().map((plan) => plan.id)).toEqual([id])
    second.manager.want([wish('renew.example.org')], [])
    await eventually('a new one', () => second.plans().length === 1 && second.plans()[0]!.id !== id)
  })

  test('A failing challenge is told of, backed off from, and tried again', async () => {
    const moment = { at: Date.now() }
    const { manager, log } = await manage(
      { httpChallenge: {} },
      { publishChallenges: silent, now: () => moment.at, chance: () => 0.5 },
    )
    manager.want([wish('failing.example.org')], [])
    await eventually('a failure', () => manager.status()[0]?.failures === 1)
    const [status] = manager.status()
    expect(status).toMatchObject({ state: 'failed', notAfter: 0 })
    expect(status!.lastError).toContain('proving failing.example.org by http-01: unauthorized')
    expect(status!.nextTryAt - moment.at).toBe(60_000)
    expect(manager.counts()).toEqual([{ resolver: 'le', issued: 0, failed: 1 }])
    moment.at += 61_000
    manager.want([wish('failing.example.org')], [])
    await eventually('another', () => manager.status()[0]?.failures === 2)
    expect(manager.status()[0]!.nextTryAt - moment.at).toBe(180_000)
    expect(log.filter((line) => line.includes('no certificate for failing'))).toHaveLength(2)
  })

  test('An authority that asks for patience is given it', async () => {
    const now = Date.now()
    const { manager } = await manage(
      { httpChallenge: {} },
      { transport: busyAuthority, now: () => now },
    )
    manager.want([wish('limited.example.org')], [])
    await eventually('a failure', () => manager.status()[0]?.failures === 1)
    expect(manager.status()[0]!.lastError).toContain('429 rateLimited: too many')
    expect(manager.status()[0]!.nextTryAt - now).toBe(7_200_000)
  })

  test('Names that a file of the operator covers, and names that no router has, are not ordered', async () => {
    const { manager, plans } = await manage({ httpChallenge: {} })
    const file: CertificatePlan = {
      name: 'x',
      id: 'x',
      names: ['*.example.org'],
      certPem: '',
      keyPem: '',
      notAfter: Date.now() + 86_400_000,
      ocsp: null,
    }
    manager.want([wish('covered.example.org')], [file])
    expect(manager.status()).toEqual([])
    manager.want([wish('covered.example.org', 'bare.example')], [file])
    await eventually('one', () => plans().length === 1)
    expect(plans()[0]!.names).toEqual(['bare.example'])
    manager.want([], [])
    expect(manager.status()).toEqual([])
  })

  test('A file that others may read stops the resolver, with the reason', async () => {
    writeFileSync(storage, '{}')
    chmodSync(storage, 0o644)
    const { manager, log } = await manage({ httpChallenge: {} })
    manager.want([wish('open.example.org')], [])
    await eventually('a failure', () => manager.status()[0]?.failures === 1)
    expect(log[0]).toContain('has mode 644: others may read it; set 600')
    chmodSync(storage, 0o600)
  })

  test('A store that fails is asked again after a while, not at once', async () => {
    const first = await manage({ httpChallenge: {} })
    first.manager.want([wish('away.example.org')], [])
    await eventually('a certificate', () => first.plans().length === 1)
    await first.manager.close()
    const second = await manage({ httpChallenge: {} })
    chmodSync(storage, 0o644)
    second.manager.want([wish('away.example.org')], [])
    await eventually('a line', () => second.log.length > 0)
    for (let turn = 0; turn < 500; turn++) await new Promise((next) => setImmediate(next))
    expect(second.log.filter((line) => line.includes('has mode 644'))).toHaveLength(1)
    expect(second.plans()).toHaveLength(1)
  })

  test('A pair of the store that does not fit is told of once, and the others are served', async () => {
    const first = await manage({ httpChallenge: {} })
    first.manager.want([wish('fits.example.org')], [])
    await eventually('a certificate', () => first.plans().length === 1)
    await first.manager.close()
    const file = JSON.parse(readFileSync(storage, 'utf8'))
    const [good] = file.le.Certificates
    const { keyPem } = await generateSelfSigned()
    const key = Buffer.from(keyPem).toString('base64')
    file.le.Certificates.push({ ...good, domain: { main: 'bad.example.org' }, key })
    writeFileSync(storage, JSON.stringify(file), { mode: 0o600 })
    const second = await manage({ httpChallenge: {}, keyType: 'P256' })
    second.manager.want([wish('fits.example.org')], [])
    await eventually('a look', () => second.manager.status()[0]?.state === 'valid')
    expect(second.plans().map(({ id }) => id)).toEqual([first.plans()[0]!.id])
    expect(second.log.filter((line) => line.includes('does not belong'))).toHaveLength(1)
    expect(second.log[0]).toContain('keyType is none of EC256, EC384')
  })

  test('A wildcard without dnsChallenge is refused before anything is asked', async () => {
    const { manager } = await manage({ tlsChallenge: {} })
    manager.want([wish('*.example.org')], [])
    await eventually('a failure', () => manager.status()[0]?.failures === 1)
    expect(manager.status()[0]!.lastError).toBe('*.example.org: a wildcard needs a dnsChallenge')
  })

  test('Of two gateways with one file one orders, and both have the certificate', async () => {
    const [one, two] = await Promise.all([
      manage({ tlsChallenge: {} }),
      manage({ tlsChallenge: {} }),
    ])
    one.manager.want([wish('both.example.org')], [])
    await eventually('a certificate', () => one.plans().length === 1)
    two.manager.want([wish('both.example.org')], [])
    await eventually('the same', () => two.plans().length === 1)
    expect(two.plans()[0]!.id).toBe(one.plans()[0]!.id)
    expect(two.log.join('\n')).not.toContain('ordering')
  })

  test('An unreachable authority, and a resolver without challenge, fail by themselves', async () => {
    const gone = await manage({ httpChallenge: {}, caServer: 'https://127.0.0.1:1/dir' })
    gone.manager.want([wish('gone.example.org')], [])
    await eventually('a failure', () => gone.manager.status()[0]?.failures === 1)
    expect(gone.manager.status()[0]!.lastError).toContain('ECONNREFUSED')
    const clear = await manage({ httpChallenge: {}, caServer: 'http://127.0.0.1:1/dir' })
    clear.manager.want([wish('clear.example.org')], [])
    await eventually('a failure', () => clear.manager.status()[0]?.failures === 1)
    expect(clear.manager.status()[0]!.lastError).toBe('caServer must be https')
    const none = await manage({})
    none.manager.want([wish('none.example.org')], [])
    expect(none.manager.status()).toMatchObject([
      {
        names: ['none.example.org'],
        state: 'failed',
        lastError: expect.stringContaining('names none'),
      },
    ])
    expect(none.log[0]).toContain('names none of httpChallenge, tlsChallenge and dnsChallenge')
  })

  test('No line of the log and no status holds a key', async () => {
    const { manager, plans, log } = await manage({ httpChallenge: {} })
    manager.want([wish('secret.example.org')], [])
    await eventually('a certificate', () => plans().length === 1)
    const said = log.join('\n') + JSON.stringify(manager.status())
    expect(said).not.toContain('PRIVATE KEY')
    expect(said).not.toContain(plans()[0]!.keyPem.split('\n')[1])
  })
})
