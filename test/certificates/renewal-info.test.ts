// Renewal information (RFC 9773): pebble of Debian is too old for it, so a transport beside it answers for that part.

import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { renewalId } from '../../certificates/acme/renewal-info.ts'
import { type HttpRequest, type HttpResponse, requestHttp } from '../../certificates/http.ts'
import { CertificateManager } from '../../certificates/manager/manager.ts'
import type { CertificatePlan } from '../../config/protocol-plans.ts'
import { staticSchema } from '../../config/static.ts'
import { eventually } from '../support/wait.ts'
import { ChallengeAnswers } from './challenge-answers.ts'
import { type Pebble, hasPebble, startPebble, withoutPebble } from './pebble.ts'

// The certificate of appendix A of the RFC.
const EXAMPLE = `-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
`

test('The id of the certificate in the RFC is the one in the RFC', () => {
  expect(new X509Certificate(EXAMPLE).serialNumber).toBe('87654321')
  expect(renewalId(EXAMPLE)).toBe('aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE')
})

describe.skipIf(!hasPebble)(
  `Renewal by the authority's window (skipped when ${withoutPebble})`,
  () => {
    let pebble: Pebble
    let folder = ''
    const answers = new ChallengeAnswers()

    beforeAll(async () => {
      pebble = await startPebble()
      await answers.listen(pebble.httpPort, pebble.tlsPort)
      folder = mkdtempSync(join(tmpdir(), 'sluice-ari-'))
    })
    afterAll(() => {
      answers.close()
      pebble?.stop()
      rmSync(folder, { recursive: true, force: true })
    })

    test('A certificate whose window has come is renewed long before its end, and says what it replaces', async () => {
      const authority = new WithRenewalInfo()
      let plans: readonly CertificatePlan[] = []
      const log: string[] = []
      const say = (message: string) => void log.push(message)
      const acme = {
        caServer: pebble.directoryUrl,
        caCertificates: [pebble.caPem],
        storage: join(folder, 'acme.json'),
        keyType: 'EC256',
        httpChallenge: {},
      }
      const manager = new CertificateManager({
        resolvers: staticSchema.parse({ certificatesResolvers: { le: { acme } } })
          .certificatesResolvers,
        environment: {},
        log: { debug: say, info: say, warn: say, error: say },
        onCertificates: (now) => void (plans = now),
        publishChallenges: answers.publish,
        transport: authority.transport,
      })
      onTestFinished(() => manager.close())
      await manager.start()
      manager.want([{ resolver: 'le', names: ['ari.example.org'], by: 'x' }], [])
      // The first one may be renewed before anybody has seen it: what the authority was asked tells its id.
      await eventually('the next look', () => authority.asked.length === 2)
      const [first = '', second = ''] = authority.asked
      expect(second).not.toBe(first)
      await eventually(
        'the other certificate',
        () => plans.length === 1 && renewalId(plans[0]!.certPem) === second,
      )
      expect(authority.orders).toBe(2)
      expect(authority.replaced).toEqual([first])
      expect(manager.status()[0]!.nextTryAt).toBeGreaterThan(Date.now() + 86_400_000)
    })
  },
)

// The first certificate is due at once, later ones in ten days.
class WithRenewalInfo {
  readonly asked: string[] = []
  readonly replaced: unknown[] = []
  orders = 0

  readonly transport = async (request: HttpRequest): Promise<HttpResponse> => {
    const { pathname } = new URL(request.url)
    if (pathname.startsWith('/ari/')) return this.window(pathname.slice(5))
    const response = await requestHttp(request)
    if (pathname === '/order-plz' && response.status === 201) this.ordered(request)
    if (pathname !== '/dir') return response
    const directory = JSON.parse(response.body.toString())
    const renewalInfo = new URL('/ari', request.url).href
    return { ...response, body: Buffer.from(JSON.stringify({ ...directory, renewalInfo })) }
  }

  private ordered(request: HttpRequest): void {
    const { payload } = JSON.parse(String(request.body))
    const order = JSON.parse(Buffer.from(payload, 'base64url').toString())
    if (order.replaces !== undefined) this.replaced.push(order.replaces)
    this.orders++
  }

  private window(id: string): HttpResponse {
    this.asked.push(id)
    const start = Date.now() + (this.asked.length === 1 ? -3600_000 : 864_000_000)
    const suggestedWindow = {
      start: new Date(start).toISOString(),
      end: new Date(start + 60_000).toISOString(),
    }
    const headers = { 'retry-after': '21600' }
    return { status: 200, headers, body: Buffer.from(JSON.stringify({ suggestedWindow })) }
  }
}
