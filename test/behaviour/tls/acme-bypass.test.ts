// allowACMEByPass: on such an entry point somebody behind the gateway may answer challenges of ACME. Without it ours
// come first, and a redirection takes all that we do not answer.

import http from 'node:http'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { emptyGeneration } from '../../../config/generation.ts'
import type { TlsChallengePlan } from '../../../config/protocol-plans.ts'
import { Listener } from '../../../workers/downstream/node/listener.ts'
import { EntryPoint } from '../../../workers/entry-point.ts'
import { install } from '../../../workers/pipeline.ts'
import { firstTicketKeys } from '../../../workers/tls/ticket-keys.ts'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import { type Gateway, freePorts, startGateway } from '../../support/gateway.ts'
import { adopt, generationOf, newContext } from '../../support/live.ts'
import { shake } from '../../support/tls-scene.ts'

describe('http-01', () => {
  const redirections = { entryPoint: { to: ':8443' } }
  const challenge = '/.well-known/acme-challenge/token'
  let origin: http.Server
  let gateway: Gateway
  let strict = 0

  beforeAll(async () => {
    origin = http.createServer((request, response) => response.end(`behind: ${request.url}`))
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`
    ;[strict = 0] = await freePorts(1)
    gateway = await startGateway({
      web: { allowACMEByPass: true, http: { redirections } },
      entryPoints: { strict: { address: `127.0.0.1:${strict}`, http: { redirections } } },
      static: {
        certificatesResolvers: {
          // No router wishes for a certificate, so the authority is never asked.
          le: {
            acme: {
              email: 'admin@a.example',
              caServer: 'https://127.0.0.1:1/directory',
              storage: 'acme.json',
              httpChallenge: {},
            },
          },
        },
      },
      routes: {
        http: {
          routers: {
            behind: {
              rule: 'PathPrefix(`/.well-known/acme-challenge/`) && Host(`behind.example`)',
              service: 'behind',
            },
          },
          services: { behind: { loadBalancer: { servers: [{ url }] } } },
        },
      },
    })
  })
  afterAll(async () => {
    await gateway.stop()
    origin.close()
  })

  function get(port: number, path: string, host: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path, headers: { host }, agent: false }
      const request = http.get(options, (response) => {
        let text = `${response.statusCode} ${response.headers.location ?? ''}`
        response.on('data', (bytes) => (text += String(bytes)))
        response.on('end', () => resolve(text))
      })
      request.on('error', reject)
    })
  }

  test('a router that says more than our own gets its challenges, past the redirection', async () => {
    expect(await get(gateway.port, challenge, 'behind.example')).toBe(`200 behind: ${challenge}`)
  })

  test('other challenges are still ours, and everything else is redirected', async () => {
    expect(await get(gateway.port, challenge, 'a.example')).toBe('404 no such challenge\n')
    const elsewhere = await get(gateway.port, '/x', 'behind.example')
    expect(elsewhere).toMatch(/^301 https:\/\/behind\.example:8443\/x/)
  })

  test('without it our answer comes before any router', async () => {
    expect(await get(strict, challenge, 'behind.example')).toBe('404 no such challenge\n')
    expect(await get(strict, '/x', 'behind.example')).toMatch(/^301 /)
  })
})

describe('tls-alpn-01', () => {
  let authority: TestAuthority
  let ours: Issued
  let usual: Issued
  let server: tls.Server
  const closing: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    authority = new TestAuthority()
    ours = authority.issue('challenge', { names: ['a.example'] })
    usual = authority.issue('usual', { names: ['a.example'] })
    const theirs = authority.issue('behind', { names: ['a.example'] })
    const { certPem: cert, keyPem: key } = theirs
    server = tls.createServer({ cert, key, ALPNProtocols: ['acme-tls/1'] }, (socket) => {
      socket.on('error', () => {})
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterAll(async () => {
    for (const close of closing) await close()
    server.close()
    authority.remove()
  })

  async function listen(acmeByPass: boolean, tlsOfRouter: object): Promise<number> {
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const routes = {
      tcp: {
        routers: { it: { rule: 'HostSNI(`a.example`)', service: 'it', tls: tlsOfRouter } },
        services: { it: { loadBalancer: { servers: [{ address }] } } },
      },
    }
    const plan: TlsChallengePlan = {
      kind: 'tls-alpn-01',
      name: 'tls-alpn-01 a.example',
      host: 'a.example',
      certPem: ours.certPem,
      keyPem: ours.keyPem,
    }
    const generation = { ...generationOf(routes, 1), challenges: new Map([[plan.name, plan]]) }
    const context = newContext()
    const generated = { certPem: usual.certPem, keyPem: usual.keyPem }
    context.tls.use({ generated, ticketKeys: firstTicketKeys() })
    install(context)
    adopt(context, emptyGeneration(), generation)
    const [port = 0] = await freePorts(1)
    const point = { ...context.plan.entryPoints[0]!, host: '127.0.0.1', port, acmeByPass }
    const listener = new Listener(new EntryPoint(point, 0, context))
    await listener.listen()
    closing.push(() => listener.close())
    return port
  }

  async function subjectOf(port: number, ...ALPNProtocols: string[]): Promise<string> {
    const { socket, subject } = await shake(port, { ALPNProtocols })
    socket.destroy()
    return subject
  }

  test('a passthrough router gets the handshake of an authority, though we have an answer', async () => {
    const port = await listen(true, { passthrough: true })
    expect(await subjectOf(port, 'acme-tls/1')).toBe('behind')
  })

  test('without it we answer', async () => {
    const port = await listen(false, { passthrough: true })
    expect(await subjectOf(port, 'acme-tls/1')).toBe('challenge')
  })

  test('a router that ends TLS here does not stand in the way of our answer', async () => {
    const port = await listen(true, {})
    expect(await subjectOf(port, 'acme-tls/1')).toBe('challenge')
    expect(await subjectOf(port, 'http/1.1')).toBe('usual')
  })
})
