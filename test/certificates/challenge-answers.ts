// test/certificates/challenge-answers.ts: answers challenges as workers do, from the plans that the manager publishes:
// http-01 on one port, tls-alpn-01 on another.

import http from 'node:http'
import tls from 'node:tls'
import type { ChallengePlan } from '../../config/protocol-plans.ts'

const PREFIX = '/.well-known/acme-challenge/'

export class ChallengeAnswers {
  plans: readonly ChallengePlan[] = []
  seen = 0 // answers that were given
  private readonly web = http.createServer((request, response) => {
    const token = (request.url ?? '').slice(PREFIX.length)
    const plan = this.plans.find((one) => one.kind === 'http-01' && one.token === token)
    if (plan?.kind === 'http-01') this.seen++
    response.statusCode = plan === undefined ? 404 : 200
    response.end(plan?.kind === 'http-01' ? plan.keyAuthorization : '')
  })
  private readonly secure = tls.createServer({
    ALPNProtocols: ['acme-tls/1'],
    SNICallback: (host, done) => {
      const plan = this.plans.find((one) => one.kind === 'tls-alpn-01' && one.host === host)
      if (plan?.kind !== 'tls-alpn-01') return done(new Error(`no answer for ${host}`))
      this.seen++
      done(null, tls.createSecureContext({ cert: plan.certPem, key: plan.keyPem }))
    },
  })

  async listen(httpPort: number, tlsPort: number): Promise<void> {
    this.secure.on('tlsClientError', () => {}) // the authority hangs up after the handshake
    this.secure.on('secureConnection', (socket) => socket.on('error', () => {}).end())
    await new Promise<void>((done) => this.web.listen(httpPort, '127.0.0.1', () => done()))
    await new Promise<void>((done) => this.secure.listen(tlsPort, '127.0.0.1', () => done()))
  }

  readonly publish = async (plans: readonly ChallengePlan[]): Promise<void> => {
    this.plans = plans
  }

  close(): void {
    this.web.close()
    this.secure.close()
  }
}
