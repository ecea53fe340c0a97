// test/certificates/pebble.ts: Debian's pebble as a user of Sluice meets an authority: over TLS, with a certificate
// of its own, on free ports, with its DNS answered by pebble-challtestsrv.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { requestHttp } from '../../certificates/http.ts'
import { eventually } from '../support/wait.ts'

export const hasPebble = isInPath('pebble') && isInPath('pebble-challtestsrv')
export const withoutPebble = 'pebble and pebble-challtestsrv (Debian: pebble) are not installed'

function isInPath(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

export interface PebbleOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly externalKeys?: Readonly<Record<string, string>> // kid -> base64url; an external account is wanted then
}

export interface Pebble {
  readonly directoryUrl: string
  readonly managementUrl: string
  readonly dnsManagementUrl: string
  readonly caPem: string // of its own endpoint
  readonly httpPort: number // where it looks for http-01
  readonly tlsPort: number // where it looks for tls-alpn-01
  readonly dnsPort: number // of its DNS: pebble-challtestsrv
  readonly folder: string
  dns(path: string, body: object): Promise<void> // management of pebble-challtestsrv
  output(): string
  stop(): void
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer())
  const ports: number[] = []
  for (const server of servers) {
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()))
    ports.push((server.address() as AddressInfo).port)
  }
  for (const server of servers) server.close()
  return ports
}

function makeEndpointCertificate(folder: string): string {
  const words =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 ' +
    '-addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout key.pem -out cert.pem'
  execFileSync('openssl', words.split(' '), { cwd: folder, stdio: 'pipe' })
  return readFileSync(join(folder, 'cert.pem'), 'utf8')
}

export async function startPebble(options: PebbleOptions = {}): Promise<Pebble> {
  const [acme = 0, management = 0, httpPort = 0, tlsPort = 0, dnsPort = 0, dnsManagement = 0] =
    await freePorts(6)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-pebble-'))
  const caPem = makeEndpointCertificate(folder)
  const config = {
    listenAddress: `127.0.0.1:${acme}`,
    managementListenAddress: `127.0.0.1:${management}`,
    certificate: join(folder, 'cert.pem'),
    privateKey: join(folder, 'key.pem'),
    httpPort,
    tlsPort,
    ocspResponderURL: '',
    domainBlocklist: ['blocked.example.org'],
    externalAccountBindingRequired: options.externalKeys !== undefined,
    externalAccountMACKeys: options.externalKeys ?? {},
  }
  writeFileSync(join(folder, 'pebble.json'), JSON.stringify({ pebble: config }))
  const dnsWords = ['-dns01', `127.0.0.1:${dnsPort}`, '-management', `127.0.0.1:${dnsManagement}`]
  const off = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', '']
  const said: string[] = []
  const children: ChildProcess[] = [
    start('pebble-challtestsrv', [...dnsWords, ...off], {}, said),
    start(
      'pebble',
      ['-config', join(folder, 'pebble.json'), '-dnsserver', `127.0.0.1:${dnsPort}`],
      { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '30', ...options.env },
      said,
    ),
  ]
  const directoryUrl = `https://127.0.0.1:${acme}/dir`
  const stop = () => {
    for (const child of children) child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  const dns = async (path: string, body: object): Promise<void> => {
    const url = `http://127.0.0.1:${dnsManagement}/${path}`
    const { status } = await requestHttp({ method: 'POST', url, body: JSON.stringify(body) })
    if (status !== 200) throw new Error(`challtestsrv answered ${status}`)
  }
  const trust = { ca: [caPem], serverName: '' }
  await eventually('pebble and its DNS to answer', async () => {
    const [one] = await Promise.all([
      requestHttp({ method: 'GET', url: directoryUrl, trust }),
      dns('clear-txt', { host: 'none.example.org.' }),
    ]).catch(() => [{ status: 0 }])
    return one.status === 200
  }).catch((fault: unknown) => {
    stop()
    throw new Error(`${String(fault)}\n${said.join('')}`)
  })
  return {
    dnsManagementUrl: `http://127.0.0.1:${dnsManagement}`,
    managementUrl: `https://127.0.0.1:${management}`,
    directoryUrl,
    caPem,
    httpPort,
    tlsPort,
    dnsPort,
    folder,
    dns,
    stop,
    output: () => said.join(''),
  }
}

function start(
  program: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  said: string[],
): ChildProcess {
  const child = spawn(program, words, { env: { ...process.env, ...env }, stdio: 'pipe' })
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => said.push(text))
  return child
}
