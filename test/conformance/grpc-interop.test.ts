// The interoperability cases of grpc-go, its client and its server with the gateway between them: every case ends as
// it does without us, in clear text and over TLS. Install both into one folder and name it:
//
//   GOBIN=FOLDER go install google.golang.org/grpc/interop/client@v1.76.0 google.golang.org/grpc/interop/server@v1.76.0
//   GRPC_INTEROP=FOLDER make conformance

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Issued, TestAuthority } from '../support/certificates.ts'
import { type Gateway, freePorts, startGateway } from '../support/gateway.ts'
import { connectRaw } from '../support/raw-client.ts'
import { eventually } from '../support/wait.ts'

const folder = process.env['GRPC_INTEROP'] ?? ''
const isHere = folder !== '' && existsSync(path.join(folder, 'client'))

const cases = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'timeout_on_sleeping_server',
  'cancel_after_begin',
  'cancel_after_first_response',
  'status_code_and_message',
  'special_status_message',
  'custom_metadata',
  'unimplemented_method',
  'unimplemented_service',
  'rpc_soak',
  'channel_soak',
]

describe.skipIf(!isHere)('grpc-go through the gateway (skipped without GRPC_INTEROP)', () => {
  let server: ChildProcess
  let gateway: Gateway
  let authority: TestAuthority
  let leaf: Issued
  let tlsPort = 0

  beforeAll(async () => {
    authority = new TestAuthority()
    leaf = authority.issue('grpc.example')
    const [serverPort = 0, secure = 0] = await freePorts(2)
    tlsPort = secure
    server = spawn(path.join(folder, 'server'), ['-port', String(serverPort)], { stdio: 'ignore' })
    await eventually('the server to listen', async () => {
      const client = await connectRaw(serverPort).catch(() => null)
      client?.destroy()
      return client !== null
    })
    const rule = 'PathPrefix(`/`)'
    gateway = await startGateway({
      entryPoints: { secure: { address: `127.0.0.1:${tlsPort}` } },
      routes: {
        http: {
          routers: {
            clear: { rule, entryPoints: ['web'], service: 'grpc' },
            secure: { rule, entryPoints: ['secure'], service: 'grpc', tls: {} },
          },
          services: {
            grpc: { loadBalancer: { servers: [{ url: `h2c://127.0.0.1:${serverPort}` }] } },
          },
        },
        tls: { certificates: [{ certFile: leaf.certFile, keyFile: leaf.keyFile }] },
      },
    })
  })

  afterAll(async () => {
    server?.kill()
    await gateway?.stop()
    authority?.remove()
  })

  function run(name: string, port: number, flags: readonly string[]): Promise<string> {
    const where = ['-server_host', '127.0.0.1', '-server_port', String(port)]
    const all = [...where, '-test_case', name, '-soak_iterations', '20', ...flags]
    return new Promise((resolve) => {
      execFile(path.join(folder, 'client'), all, { timeout: 30_000 }, (fault, _, stderr) => {
        resolve(fault === null ? 'ok' : stderr.slice(-500))
      })
    })
  }

  test.each(cases)('%s in clear text', { timeout: 40_000 }, async (name) => {
    expect(await run(name, gateway.port, [])).toBe('ok')
  })

  test.each(cases)('%s over TLS', { timeout: 40_000 }, async (name) => {
    const override = ['-server_host_override', 'grpc.example']
    const flags = ['-use_tls', '-use_test_ca', '-ca_file', authority.root.certFile, ...override]
    expect(await run(name, tlsPort, flags)).toBe('ok')
  })
})
