// test/behaviour/tls/challenge.test.ts: an authority that checks a name by tls-alpn-01 is answered, and nobody else is.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { emptyGeneration } from '../../../config/generation.ts'
import type { TlsChallengePlan } from '../../../config/protocol-plans.ts'
import { Listener } from '../../../workers/downstream/node/listener.ts'
import { EntryPoint } from '../../../workers/entry-point.ts'
import { firstTicketKeys } from '../../../workers/tls/ticket-keys.ts'
import { install } from '../../../workers/pipeline.ts'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import { freePorts } from '../../support/gateway.ts'
import { adopt, generationOf, newContext } from '../../support/live.ts'
import { shake } from '../../support/tls-scene.ts'

let authority: TestAuthority
let challenge: Issued
let listener: Listener
let port = 0

beforeAll(async () => {
  authority = new TestAuthority()
  challenge = authority.issue('challenge', { names: ['a.example'] })
  const usual = authority.issue('usual', { names: ['a.example'] })
  const plan: TlsChallengePlan = {
    kind: 'tls-alpn-01',
    name: 'tls-alpn-01 a.example',
    host: 'a.example',
    certPem: challenge.certPem,
    keyPem: challenge.keyPem,
  }
  const routes = {
    http: { routers: { all: { rule: 'Host(`a.example`)', service: 'noop@internal', tls: {} } } },
  }
  const generation = { ...generationOf(routes, 1), challenges: new Map([[plan.name, plan]]) }
  const context = newContext()
  context.tls.use({
    generated: { certPem: usual.certPem, keyPem: usual.keyPem },
    ticketKeys: firstTicketKeys(),
  })
  install(context)
  adopt(context, emptyGeneration(), generation)
  ;[port = 0] = await freePorts(1)
  const point = { ...context.plan.entryPoints[0]!, host: '127.0.0.1', port }
  listener = new Listener(new EntryPoint(point, 0, context))
  await listener.listen()
})
afterAll(async () => {
  await listener.close()
  authority.remove()
})

test('a hello with the name and exactly that protocol gets the certificate of the challenge', async () => {
  const { socket, subject } = await shake(port, { ALPNProtocols: ['acme-tls/1'] })
  expect(subject).toBe('challenge')
  expect(socket.alpnProtocol).toBe('acme-tls/1')
  await new Promise((resolve) => socket.once('close', resolve)) // nothing is served on it
})

test('whoever asks for another protocol too, or none, gets the usual certificate', async () => {
  for (const ALPNProtocols of [['acme-tls/1', 'http/1.1'], ['http/1.1'], []]) {
    const { socket, subject } = await shake(port, { ALPNProtocols })
    expect(subject).toBe('usual')
    expect(socket.alpnProtocol).not.toBe('acme-tls/1')
    socket.destroy()
  }
})

test('the protocol is agreed on for no name without a challenge', async () => {
  const options = { ALPNProtocols: ['acme-tls/1'], servername: 'b.example' }
  await expect(shake(port, options)).rejects.toThrow(/no application protocol/)
})
