// Stapled answers from openssl's own responder: the issuer's, a delegated one's, and those that must not be used.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { assert, integer, property } from 'fast-check'
import { type HttpRequest, requestHttp } from '../../certificates/http.ts'
import {
  OcspError,
  checkAnswer,
  ocspRequest,
  responderOf,
} from '../../certificates/ocsp/message.ts'
import { OcspStapler, type StaplerOptions } from '../../certificates/ocsp/stapler.ts'
import { certificatePlan } from '../../config/certificate-facts.ts'
import { eventually } from '../support/wait.ts'
import { freePorts } from './pebble.ts'

let folder = ''
let port = 0
const responders: ChildProcess[] = []
const pem = (name: string): string => readFileSync(join(folder, name), 'utf8')

function openssl(words: string): void {
  execFileSync('openssl', words.split(' '), { cwd: folder, stdio: 'pipe' })
}

function issue(name: string, serial: string, extensions: string, by = 'ca'): void {
  writeFileSync(join(folder, `${name}.ext`), extensions)
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
  openssl(`req ${key} -keyout ${name}.key -subj /CN=${name} -out ${name}.csr`)
  const signer = by === name ? `-signkey ${name}.key` : `-CA ${by}.pem -CAkey ${by}.key`
  openssl(
    `x509 -req -in ${name}.csr ${signer} -set_serial 0x${serial} -days 30 -extfile ${name}.ext -out ${name}.pem`,
  )
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-ocsp-'))
  ;[port = 0] = await freePorts(1)
  const access = `authorityInfoAccess=OCSP;URI:http://127.0.0.1:${port}\nsubjectAltName=DNS:a.example.org`
  issue('ca', '01', 'basicConstraints=critical,CA:TRUE', 'ca')
  issue('other', '02', 'basicConstraints=critical,CA:TRUE', 'other')
  issue('good', 'A1B2', access)
  issue('revoked', 'A1B3', access)
  issue('unknown', 'A1B4', access)
  issue('silent', 'A1B5', 'subjectAltName=DNS:a.example.org')
  issue('delegate', '03', 'extendedKeyUsage=OCSPSigning')
  issue('plain', '05', 'keyUsage=digitalSignature')
  issue('stranger', '06', 'extendedKeyUsage=OCSPSigning', 'other')
  issue('impostor', '04', 'extendedKeyUsage=serverAuth')
  const index = [
    'V\t401231235959Z\t\tA1B2\tunknown\t/CN=good',
    'R\t401231235959Z\t260101000000Z\tA1B3\tunknown\t/CN=revoked',
  ]
  writeFileSync(join(folder, 'index.txt'), index.join('\n') + '\n')
})
afterEach(() => {
  for (const child of responders.splice(0)) child.kill('SIGKILL')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const leafOf = (name: string) => new X509Certificate(pem(`${name}.pem`))

async function ask(name: string): Promise<Buffer> {
  const body = ocspRequest(leafOf(name), leafOf('ca'))
  const headers = { 'content-type': 'application/ocsp-request' }
  return (await requestHttp({ method: 'POST', url: `http://127.0.0.1:${port}/`, headers, body }))
    .body
}

async function checkFresh(name: string): Promise<void> {
  checkAnswer(await ask(name), leafOf(name), leafOf('ca'), Date.now())
}

async function respond(signer = 'ca', issuer = 'ca'): Promise<void> {
  const words = `ocsp -index index.txt -port ${port} -rsigner ${signer}.pem -rkey ${signer}.key -CA ${issuer}.pem -nmin 10`
  responders.push(spawn('openssl', words.split(' '), { cwd: folder, stdio: 'ignore' }))
  await eventually('the responder to answer', () =>
    ask('good').then(
      () => true,
      () => false,
    ),
  )
}

const planOf = (name: string) =>
  certificatePlan(pem(`${name}.pem`) + pem('ca.pem'), pem(`${name}.key`))

interface Stapling {
  readonly stapler: OcspStapler
  readonly log: string[]
  changes(): number
}

function stapling(more: Partial<StaplerOptions> = {}): Stapling {
  const log: string[] = []
  const say = (message: string) => void log.push(message)
  let changes = 0
  const stapler = new OcspStapler({
    responderOverrides: {},
    log: { debug: say, info: say, warn: say, error: say },
    onChange: () => void changes++,
    chance: () => 0.5,
    ...more,
  })
  onTestFinished(() => stapler.close())
  return { stapler, log, changes: () => changes }
}

describe('An answer of OCSP', () => {
  test.each(['ca', 'delegate'])('signed by %s is accepted', async (signer) => {
    await respond(signer)
    const answer = checkAnswer(await ask('good'), leafOf('good'), leafOf('ca'), Date.now())
    expect(answer.nextUpdate - answer.thisUpdate).toBe(600_000)
  })

  test('that is not of now, about another certificate or of another issuer is refused', async () => {
    await respond()
    const der = await ask('good')
    const check = (name: string, issuer: string, now: number) => () =>
      checkAnswer(der, leafOf(name), leafOf(issuer), now)
    expect(check('good', 'ca', Date.now() + 601_000)).toThrow('not of now')
    expect(check('good', 'ca', Date.now() - 601_000)).toThrow('not of now')
    expect(check('unknown', 'ca', Date.now())).toThrow('about another certificate')
    expect(check('good', 'other', Date.now())).toThrow('not signed by who may sign it')
  })

  test('that says revoked or unknown is refused as such', async () => {
    await respond()
    await expect(checkFresh('revoked')).rejects.toThrow('REVOKED')
    await expect(checkFresh('unknown')).rejects.toThrow('does not know')
  })

  test.each(['impostor', 'plain', 'stranger', 'other'])(
    'signed by %s, whom the issuer does not let sign, is refused',
    async (signer) => {
      await respond(signer)
      const der = await ask('good')
      expect(() => checkAnswer(der, leafOf('good'), leafOf('ca'), Date.now())).toThrow(
        'not signed by who may',
      )
    },
  )

  test('with any byte changed is refused, and never more than that', async () => {
    await respond()
    const der = await ask('good')
    const [leaf, issuer, now] = [leafOf('good'), leafOf('ca'), Date.now()]
    const { thisUpdate, nextUpdate } = checkAnswer(der, leaf, issuer, now)
    assert(
      property(
        integer({ min: 0, max: der.length - 1 }),
        integer({ min: 1, max: 255 }),
        (at, flip) => {
          const bad = Buffer.from(der)
          bad[at]! ^= flip
          try {
            // Certificates beside the answer are not signed by it: those bytes may change without harm.
            expect(checkAnswer(bad, leaf, issuer, now)).toMatchObject({ thisUpdate, nextUpdate })
          } catch (fault) {
            expect(fault).toBeInstanceOf(OcspError)
          }
        },
      ),
    )
  })

  test('is asked for where the certificate says', () => {
    expect(responderOf(leafOf('good'))).toBe(`http://127.0.0.1:${port}`)
    expect(responderOf(leafOf('silent'))).toBe('')
  })
})

describe('The stapler', () => {
  test('A certificate that names a responder gets its answer, and openssl finds it good', async () => {
    await respond()
    const { stapler, changes } = stapling()
    stapler.want([planOf('good'), planOf('silent')])
    await eventually('an answer', () => changes() === 1)
    const { ocsp } = stapler.staple(planOf('good'))
    writeFileSync(join(folder, 'answer.der'), ocsp!)
    const said = execFileSync(
      'openssl',
      'ocsp -respin answer.der -issuer ca.pem -cert good.pem -CAfile ca.pem'.split(' '),
      { cwd: folder, stdio: 'pipe' },
    )
    expect(said.toString()).toContain('good.pem: good')
    expect(stapler.staple(planOf('silent')).ocsp).toBeNull()
    expect(stapler.status()).toHaveLength(1)
  })

  test('It is fetched anew at half of its life, kept while the responder is away, and dropped at its end', async () => {
    await respond()
    const moment = { at: Date.now(), asked: 0, isAway: false }
    const transport = async (request: HttpRequest) => {
      moment.asked++
      if (moment.isAway) throw new Error('away')
      return requestHttp(request)
    }
    const { stapler, changes, log } = stapling({ now: () => moment.at, transport })
    const plan = planOf('good')
    stapler.want([plan])
    await eventually('an answer', () => changes() === 1)
    const [{ thisUpdate, nextUpdate, nextTryAt }] = stapler.status() as [
      ReturnType<OcspStapler['status']>[0],
    ]
    expect(nextTryAt).toBe((thisUpdate + nextUpdate) / 2)
    moment.isAway = true
    moment.at = nextTryAt + 1
    stapler.want([plan])
    await eventually('a failure', () => stapler.status()[0]!.lastError === 'away')
    expect(stapler.staple(plan).ocsp).not.toBeNull()
    expect(stapler.status()[0]!.nextTryAt - moment.at).toBe(60_000)
    expect(log).toHaveLength(1)
    moment.at = nextUpdate + 1
    expect(stapler.staple(plan).ocsp).toBeNull()
    stapler.want([plan])
    await eventually('it to be dropped', () => changes() === 2)
    expect(moment.asked).toBeGreaterThan(2)
  })

  test('A revoked certificate is told of loudly and gets no answer', async () => {
    await respond()
    const { stapler, log } = stapling()
    stapler.want([planOf('revoked')])
    await eventually('a line', () => log.length > 0)
    expect(log[0]).toContain('REVOKED')
    expect(stapler.staple(planOf('revoked')).ocsp).toBeNull()
  })

  test('A responder can be replaced by another, and a missing issuer is told of', async () => {
    await respond()
    const named = `http://127.0.0.1:${port}`
    const asked: string[] = []
    const transport = (request: HttpRequest) => {
      asked.push(request.url)
      return requestHttp(request)
    }
    const overrides = { [named]: `${named}/mirror` }
    const { stapler, log } = stapling({ responderOverrides: overrides, transport })
    stapler.want([planOf('good'), certificatePlan(pem('unknown.pem'), pem('unknown.key'))])
    await eventually('a question', () => asked.length === 1)
    expect(asked).toEqual([`${named}/mirror`])
    expect(log.join()).toContain('lacks the certificate of the issuer')
  })
})
