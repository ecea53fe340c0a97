// Buffering with files: bodies that memory does not hold reach a server whole or not at all, and nothing is left of them.

import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'
import * as scene from './spool-scene.ts'

const MIB = 1024 * 1024
const body = randomBytes(5 * MIB + 17)
const digest = createHash('sha256').update(body).digest('hex')

let folder = ''
let origin: HttpOrigin
let asked = 0 // heads that have come
const slow: (() => void)[] = [] // requests whose body waits to be read
let resets = 0 // of the next requests, when their body is here
let unavailable = 0 // answered 503, likewise
let gateway: Gateway

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-spool-'))
  origin = await startHttpOrigin((request, response) => {
    asked++
    request.on('error', () => {})
    if (request.url!.endsWith('?refused')) return void response.writeHead(403).end('no')
    if (request.url!.endsWith('?slow')) return void slow.push(() => take(request, response))
    take(request, response)
  })
})

function take(request: http.IncomingMessage, response: http.ServerResponse): void {
  const hash = createHash('sha256')
  request.on('data', (bytes: Buffer) => {
    hash.update(bytes)
    if (resets === 0) return
    resets--
    request.socket.resetAndDestroy()
  })
  request.on('end', () => {
    const length = request.headers['content-length'] ?? request.headers['transfer-encoding']
    const status = unavailable-- > 0 ? 503 : 200
    response.writeHead(status).end(`${length} ${hash.digest('hex')}`)
  })
}

afterAll(async () => {
  await origin?.stop()
  rmSync(folder, { recursive: true, force: true })
})

beforeEach(() => {
  asked = 0
  resets = 0
  unavailable = 0
})

function routes(): Record<string, unknown> {
  const small = { memRequestBodyBytes: 64 * 1024 }
  const middlewares = {
    plain: { buffering: small },
    limited: { buffering: { ...small, maxRequestBodyBytes: 4 * MIB } },
    network: { buffering: { ...small, retryExpression: 'IsNetworkError() && Attempts() < 3' } },
    status: {
      buffering: { ...small, retryExpression: 'ResponseCode() == 503 && Attempts() < 3' },
    },
  }
  const router = (name: string) => ({
    rule: `PathPrefix(\`/${name}\`)`,
    entryPoints: ['web'],
    service: 'origin',
    middlewares: [name],
  })
  const names = Object.keys(middlewares)
  return {
    http: {
      routers: Object.fromEntries(names.map((name) => [name, router(name)])),
      middlewares,
      services: { origin: { loadBalancer: { servers: [{ url: origin.url }] } } },
    },
  }
}

const start = (engine: 'node' | 'uws', buffering: Record<string, unknown> = {}) =>
  startGateway({
    engine,
    web: engine === 'uws' ? { trustChunkedRequests: true } : {},
    static: { buffering: { directory: folder, ...buffering } },
    routes: routes(),
  })

interface Answer {
  readonly status: number
  readonly text: string
}

function put(name: string, bytes: Buffer, headers: http.OutgoingHttpHeaders): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { port: gateway.port, path: `/${name}`, method: 'PUT', headers, agent: false }
    const request = http.request(options, (response) => {
      let text = ''
      response.on('data', (piece: Buffer) => (text += piece.toString()))
      response.on('end', () => resolve({ status: response.statusCode!, text }))
    })
    request.on('error', reject)
    request.end(bytes)
  })
}

const known = { 'Content-Length': body.length }

const openFiles = (): number => scene.openFiles(gateway, folder)
const metric = (name: string): Promise<number> => scene.metric(gateway, name)
const nothingIsLeft = (): Promise<void> => scene.nothingIsLeft(gateway, folder)

describe.each(['node', 'uws'] as const)('a long request body, engine %s', (engine) => {
  const clients: RawClient[] = []

  beforeAll(async () => {
    gateway = await start(engine)
  })
  afterAll(() => gateway?.stop())
  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy()
  })

  async function half(name: string): Promise<RawClient> {
    const client = await connectRaw(gateway.port)
    clients.push(client)
    client.send(`PUT /${name} HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n`)
    client.send(body.subarray(0, 2 * MIB))
    await eventually('a file to be open', () => openFiles() === 1)
    return client
  }

  test('arrives byte for byte, with its length', async () => {
    const answer = await put('plain', body, known)
    expect(answer).toEqual({ status: 200, text: `${body.length} ${digest}` })
    await nothingIsLeft()
  })

  test('arrives byte for byte, with its length, when it comes in chunks', async () => {
    const answer = await put('plain', body, { 'Transfer-Encoding': 'chunked' })
    expect(answer).toEqual({ status: 200, text: `${body.length} ${digest}` })
    await nothingIsLeft()
  })

  test('is not seen by the server before it is whole', async () => {
    const client = await half('plain')
    await eventually('some of it to be in the file', async () => {
      return (await metric('sluice_buffering_disk_bytes ')) >= MIB
    })
    expect(asked).toBe(0)
    client.send(body.subarray(2 * MIB))
    expect((await client.readResponse()).body).toContain(digest)
    expect(asked).toBe(1)
  })

  test('is sent again from the file after the server has reset the connection', async () => {
    resets = 1
    expect((await put('network', body, known)).text).toContain(digest)
    expect(asked).toBe(2)
    await nothingIsLeft()
  })

  test('is sent again from the file while retryExpression says so', async () => {
    unavailable = 2
    expect((await put('status', body, known)).text).toContain(digest)
    expect(asked).toBe(3)
    await nothingIsLeft()
  })

  test('leaves no descriptor when its client leaves half way', async () => {
    const client = await half('plain')
    client.destroy()
    await nothingIsLeft()
    expect(asked).toBe(0)
  })

  test('waits in the file for a server that does not read yet', async () => {
    const answer = put('plain?slow', body, known)
    await eventually('the server to be asked', () => slow.length === 1)
    expect(openFiles()).toBe(1)
    slow.pop()!()
    expect((await answer).text).toContain(digest)
    await nothingIsLeft()
  })

  test('leaves nothing when the server answers without reading it', async () => {
    expect((await put('plain?refused', body, known)).status).toBe(403)
    await nothingIsLeft()
  })

  test('is answered 413 when it turns out longer than maxRequestBodyBytes', async () => {
    const client = await connectRaw(gateway.port)
    clients.push(client)
    client.send('PUT /limited HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n')
    const size = 4 * MIB + 1
    client.send(`${size.toString(16)}\r\n`)
    client.send(body.subarray(0, size))
    expect((await client.readResponse()).status).toBe(413)
    expect(asked).toBe(0)
    await nothingIsLeft()
  })

  test('makes no file when memory holds it', async () => {
    const before = await metric('sluice_buffering_files_total')
    const short = body.subarray(0, 64 * 1024)
    const answer = await put('plain', short, { 'Content-Length': short.length })
    expect(answer.text).toContain(createHash('sha256').update(short).digest('hex'))
    expect(await metric('sluice_buffering_files_total')).toBe(before)
    await put('plain', body, known)
    expect(await metric('sluice_buffering_files_total')).toBe(before + 1)
  })
})

describe('a long request body of HTTP/2', () => {
  const session = scene.useSession(async () => (gateway = await start('node')))

  const begin = (name: string): http2.ClientHttp2Stream =>
    session().request({ ':method': 'PUT', ':path': `/${name}` })

  async function textOf(stream: http2.ClientHttp2Stream): Promise<string> {
    let text = ''
    for await (const piece of stream) text += String(piece)
    return text
  }

  test('arrives byte for byte once it is whole, and again after a reset', async () => {
    resets = 1
    const stream = begin('network')
    stream.write(body.subarray(0, 2 * MIB))
    await eventually('some of it to be in the file', async () => {
      return (await metric('sluice_buffering_disk_bytes ')) >= MIB
    })
    expect(asked).toBe(0)
    stream.end(body.subarray(2 * MIB))
    expect(await textOf(stream)).toContain(digest)
    expect(asked).toBe(2)
    await nothingIsLeft()
  })

  test('leaves no descriptor when its stream is reset', async () => {
    const stream = begin('plain')
    stream.on('error', () => {})
    stream.write(body.subarray(0, MIB))
    await eventually('a file to be open', () => openFiles() === 1)
    stream.destroy(new Error('gone')) // close() would end the body first, and the request be whole
    await nothingIsLeft()
    expect(asked).toBe(0)
  })
})

describe('where files are not to be had', () => {
  afterEach(() => gateway?.stop())

  test('a body beyond diskBytesMax is answered 507, and the server is not asked', async () => {
    gateway = await start('node', { diskBytesMax: 2 * MIB })
    const client = await connectRaw(gateway.port)
    client.send(`PUT /plain HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n`)
    client.send(body.subarray(0, 3 * MIB))
    const answer = await client.readResponse()
    client.destroy()
    expect(answer.status).toBe(507)
    expect(answer.body).toContain('SPOOL_FULL')
    expect(asked).toBe(0)
    await nothingIsLeft()
    expect(await metric('sluice_buffering_disk_refusals_total')).toBe(1)
    const short = body.subarray(0, MIB)
    expect((await put('plain', short, { 'Content-Length': short.length })).status).toBe(200)
  })

  test('a folder that vanished is a 507, with the reason in the log', async () => {
    const own = mkdtempSync(path.join(tmpdir(), 'sluice-spool-'))
    gateway = await start('node', { directory: own })
    rmSync(own, { recursive: true })
    const client = await connectRaw(gateway.port)
    client.send(`PUT /plain HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n`)
    client.send(body.subarray(0, MIB))
    const answer = await client.readResponse()
    client.destroy()
    expect(answer.status).toBe(507)
    expect(answer.body).toContain('SPOOL_FAILED')
    await gateway.untilStderr('ENOENT')
    expect(asked).toBe(0)
  })

  test('a folder that is none is refused at the start', async () => {
    const missing = path.join(folder, 'missing')
    gateway = await startGateway({
      static: { buffering: { directory: missing } },
      waitReady: false,
    })
    await gateway.untilExit()
    expect(gateway.exit!.code).not.toBe(0)
    expect(gateway.stderr()).toContain(`buffering.directory: no file can be made in ${missing}`)
  })
})
