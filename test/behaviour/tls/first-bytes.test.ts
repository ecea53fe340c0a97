// test/behaviour/tls/first-bytes.test.ts: one port tells apart whatever arrives, and ends what it can't tell in time.

import { once } from 'node:events'
import net from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { helloOf } from '../../../core/tls/hello.fixture.ts'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import { RawClient } from '../../support/raw-client.ts'
import {
  type TlsScene,
  ask,
  curl,
  files,
  get,
  routers,
  run,
  service,
  shake,
  startReframer,
  startSlicer,
  startTlsScene,
} from '../../support/tls-scene.ts'

let authority: TestAuthority
let http: Issued
let tcp: Issued
let behind: net.Server
let scene: TlsScene
const HEADER_TIMEOUT_MS = 4000 // what comes byte by byte is there before, on a machine that stands still too

beforeAll(async () => {
  authority = new TestAuthority()
  http = authority.issue('http', { names: ['http.example', '*.any.example'] })
  tcp = authority.issue('tcp', { names: ['tcp.example', 'deep.any.example'] })
  behind = net.createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => socket.write(`tcp got ${bytes.length};`))
  })
  await new Promise<void>((resolve) => behind.listen(0, '127.0.0.1', resolve))
  const address = `127.0.0.1:${(behind.address() as net.AddressInfo).port}`
  const onTcp = (rule: string, tls: unknown): unknown => ({
    rule,
    entryPoints: ['websecure'],
    service: 'tcp',
    tls,
  })
  scene = await startTlsScene(
    (origin) => ({
      http: {
        routers: {
          ...routers({
            host: ['Host(`http.example`)', {}],
            wild: ['Host(`*.any.example`)', {}],
            any: ['PathPrefix(`/any`)', {}],
          }),
          clear: { rule: 'PathPrefix(`/`)', entryPoints: ['websecure', 'web'], service: 'origin' },
        },
        services: service(origin),
      },
      tcp: {
        routers: {
          ended: onTcp('HostSNI(`tcp.example`)', {}),
          passed: onTcp('HostSNI(`passed.example`)', { passthrough: true }),
          both: onTcp('HostSNI(`http.example`)', {}),
          all: onTcp('HostSNI(`*`)', {}),
        },
        services: { tcp: { loadBalancer: { servers: [{ address }] } } },
      },
      tls: { certificates: [http, tcp].map(files) },
    }),
    {
      websecure: {
        proxyProtocol: { trustedIPs: ['127.0.0.1'] },
        transport: { respondingTimeouts: { headerTimeout: `${HEADER_TIMEOUT_MS}ms` } },
      },
    },
  )
}, 60_000)
afterAll(async () => {
  await scene.stop()
  behind.close()
  authority.remove()
})

function open(port = scene.secure): RawClient {
  return new RawClient(net.connect(port, '127.0.0.1'))
}

const REQUEST = 'GET /x HTTP/1.1\r\nHost: http.example\r\nConnection: close\r\n\r\n'

async function answerTo(bytes: string | Buffer, port = scene.secure): Promise<string> {
  const client = open(port).send(bytes)
  await client.until('the connection to end', () => client.closed)
  return client.received
}

test('HTTP in clear text, HTTP/2 with prior knowledge, HTTPS and h2 share one port', async () => {
  const { secure } = scene
  expect(await answerTo(REQUEST)).toMatch(/^HTTP\/1\.1 200 [^]*"x-forwarded-proto":"http"/)
  const prior = await run('curl', [
    '-sS',
    '--http2-prior-knowledge',
    '-w',
    '\n%{http_code} %{http_version}',
    `http://127.0.0.1:${secure}/x`,
  ])
  expect(prior.stdout).toMatch(/200 2$/)
  expect((await curl(secure, 'http.example', ['--http1.1'])).stdout).toMatch(/200 1\.1$/)
  expect((await curl(secure, 'http.example', ['--http2'])).stdout).toMatch(/200 2$/)
})

test('Upgrade: h2c is not honoured: the request is answered by HTTP/1.1', async () => {
  const upgrade =
    'GET /x HTTP/1.1\r\nHost: http.example\r\nConnection: Upgrade, HTTP2-Settings, close\r\n' +
    'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n'
  for (const port of [scene.secure, scene.gateway.port]) {
    const answer = await answerTo(upgrade, port)
    expect(answer).toMatch(/^HTTP\/1\.1 (200|4\d\d|501) /)
    expect(answer).not.toMatch(/101 Switching/)
    expect(answer).not.toMatch(/"upgrade":"h2c"/)
  }
})

async function speakTcp(servername: string, bytes: string): Promise<string> {
  const { socket } = await shake(scene.secure, { servername })
  const got = new Promise<string>((resolve) => socket.once('data', (d) => resolve(String(d))))
  socket.write(bytes)
  const text = await got
  socket.destroy()
  return text
}

test('a TCP router that names a host ends TLS for it, beside HTTPS on the same port', async () => {
  expect(await speakTcp('tcp.example', 'hello')).toBe('tcp got 5;')
  expect((await get(scene.secure, 'http.example')).status).toBe(200)
})

test('an HTTPS router that names the host goes before a TCP router that does', async () => {
  const { socket, subject } = await shake(scene.secure, { servername: 'http.example' })
  expect(subject).toBe('http')
  expect((await ask(socket, 'http.example')).status).toBe(200)
})

test('an HTTPS router for any host goes before a TCP router for any', async () => {
  const { socket } = await shake(scene.secure, { servername: 'stranger.example' })
  expect((await ask(socket, 'stranger.example', '/any')).status).toBe(200)
})

test('a passed connection reaches its server with every byte of its hello', async () => {
  const hello = Buffer.from(helloOf({ names: ['passed.example'] }))
  const client = open().send(hello)
  await client.untilText(`tcp got ${hello.length};`)
  client.destroy()
})

for (const size of [1, 3, 100]) {
  test(`a hello in segments of ${size} bytes is read like a whole one`, async () => {
    const slicer = await startSlicer(scene.secure, size)
    expect((await curl(slicer.port, 'http.example', ['--http2'])).stdout).toMatch(/200 2$/)
    const { stdout } = await run(
      'openssl',
      ['s_client', '-connect', `127.0.0.1:${slicer.port}`, '-servername', 'tcp.example'],
      '',
    )
    expect(stdout).toMatch(/subject=CN = tcp/)
    slicer.stop()
    const reframer = await startReframer(scene.secure, size)
    expect((await get(reframer.port, 'http.example')).status).toBe(200)
    reframer.stop()
  })
}

test('a PROXY header of either version names the client, before TLS and before clear text', async () => {
  const v1 = 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n'
  const one = await answerTo(v1 + REQUEST)
  expect(one).toContain('"x-forwarded-for":"192.0.2.7"')
  const v2 = Buffer.concat([
    Buffer.from('0d0a0d0a000d0a515549540a2111000c', 'hex'),
    Buffer.of(192, 0, 2, 8, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xbb),
  ])
  const two = await answerTo(Buffer.concat([v2, Buffer.from(REQUEST)]))
  expect(two).toContain('"x-forwarded-for":"192.0.2.8"')
  const { stdout } = await curl(scene.secure, 'http.example', ['--http1.1', '--haproxy-protocol'])
  expect(stdout).toMatch(/200 1\.1$/)
  const second = await curl(scene.secure, 'http.example', ['--http2', '--haproxy-protocol'])
  expect(second.stdout).toMatch(/200 2$/)
})

test('a PROXY header of one byte at a time is read like a whole one', async () => {
  const slicer = await startSlicer(scene.secure, 1)
  const v1 = 'PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n'
  expect(await answerTo(v1 + REQUEST, slicer.port)).toContain('"x-forwarded-for":"2001:db8::7"')
  slicer.stop()
})

test('a PROXY header that is not legal ends the connection without an answer', async () => {
  const bad = [
    'PROXY TCP4 192.0.2.300 198.51.100.1 4711 443\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 04711 443\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443 ' + 'x'.repeat(100),
    Buffer.from('0d0a0d0a000d0a515549540a3111000c', 'hex'),
    Buffer.from('0d0a0d0a000d0a515549540a2111ffff', 'hex'),
  ]
  for (const header of bad) expect(await answerTo(header)).toBe('')
})

test('a PROXY header where nobody is trusted is no HTTP', async () => {
  const header = 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n'
  const answer = await answerTo(header + REQUEST, scene.gateway.port)
  expect(answer).not.toMatch(/^HTTP\/1\.1 200/)
  expect(answer).not.toContain('192.0.2.7')
})

test('Postgres is told that TLS may begin, and its TLS goes to TCP routers alone', async () => {
  const sslRequest = Buffer.from('0000000804d2162f', 'hex')
  const client = open().send(sslRequest)
  await client.until('an answer', () => client.received.length > 0)
  expect(client.take(1)).toBe('S')
  client.destroy()
  const early = await answerTo(Buffer.concat([sslRequest, Buffer.from('smuggled')]))
  expect(early).toBe('') // CVE-2021-23222: nothing in clear text may follow
  const gss = open().send(Buffer.from('0000000804d21630', 'hex'))
  await gss.until('an answer', () => gss.received.length > 0)
  expect(gss.take(1)).toBe('N')
  gss.destroy()
})

test('a hello that never ends is cut at headerTimeout, however it trickles', async () => {
  const hello = Buffer.from(helloOf({ names: ['http.example'] }))
  const from = performance.now()
  const client = open()
  let at = 0
  const timer = setInterval(() => client.send(hello.subarray(at, ++at)), 100)
  await client.until('the connection to end', () => client.closed)
  clearInterval(timer)
  const took = performance.now() - from
  expect(took).toBeGreaterThan(HEADER_TIMEOUT_MS * 0.9)
  expect(took).toBeLessThan(HEADER_TIMEOUT_MS * 2)
})

test('a handshake that stops in its middle, and a client that says nothing, end in time as well', async () => {
  const silent = open()
  const half = open().send(Buffer.from(helloOf({ names: ['http.example'] })))
  for (const client of [silent, half])
    await client.until('the connection to end', () => client.closed)
})

test('a hello above its bound, of no legal form, or followed by more is refused at once', async () => {
  const whole = Buffer.from(helloOf({ names: ['http.example'] }))
  const huge = Buffer.from('160301400001' + '00ffff', 'hex')
  const wrongLength = Buffer.from(whole)
  wrongLength[8] = wrongLength[8]! + 1
  const other = Buffer.from(whole)
  other[5] = 2
  for (const bytes of [huge, other, Buffer.concat([whole.subarray(0, 20), whole])]) {
    const from = performance.now()
    await answerTo(bytes)
    expect(performance.now() - from).toBeLessThan(HEADER_TIMEOUT_MS * 0.8)
  }
  expect((await get(scene.secure, 'http.example')).status).toBe(200)
})

test('a record that can not be decrypted, or a second hello, ends its connection alone', async () => {
  const second = Buffer.from(helloOf({ names: ['http.example'] }))
  const badRecord = Buffer.from('1703030020' + 'ab'.repeat(32), 'hex')
  const alert = Buffer.from('15030300020250', 'hex')
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const bytes of [badRecord, second, alert, Buffer.from('GET / HTTP/1.1\r\n\r\n')]) {
      const raw = net.connect(scene.secure, '127.0.0.1')
      await once(raw, 'connect')
      const { socket } = await shake(scene.secure, {
        socket: raw,
        servername: 'http.example',
        maxVersion,
      })
      const closed = once(raw, 'close')
      raw.write(bytes)
      await closed
      socket.destroy()
    }
  }
  expect((await get(scene.secure, 'http.example')).status).toBe(200)
})

test('a thousand clients that break off anywhere in their hello leave the port as it was', async () => {
  const hello = Buffer.from(helloOf({ names: ['http.example'], alpn: ['h2', 'http/1.1'] }))
  for (let round = 0; round < 10; round++) {
    await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const client = open()
        await once(client.socket, 'connect')
        client.send(hello.subarray(0, 1 + ((round * 100 + i) % hello.length)))
        if (i % 2 === 0) client.end()
        else client.destroy()
        await client.until('it is closed', () => client.closed)
      }),
    )
  }
  expect((await get(scene.secure, 'http.example')).status).toBe(200)
  await expect
    .poll(async () => (await scene.gateway.admin('/metrics')).body)
    .toMatch(/open_connections\{entrypoint="websecure"[^}]*\} 0/)
})
