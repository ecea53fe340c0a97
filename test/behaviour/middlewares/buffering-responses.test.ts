// Buffering with files: responses that memory does not hold reach a client whole or as an error, and free their server.

import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'
import * as scene from './spool-scene.ts'

const MIB = 1024 * 1024
const body = randomBytes(5 * MIB + 17)
const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const digest = digestOf(body)
const PIECE = 100_000

let folder = ''
let origin: HttpOrigin
let gateway: Gateway
const open: http.ServerResponse[] = [] // half sent
const ports: number[] = [] // of connections, one for each request
let unavailable = 0 // answered 503

function inPieces(response: http.ServerResponse): void {
  for (let at = 0; at < body.length; at += PIECE) response.write(body.subarray(at, at + PIECE))
}

const answers: Readonly<Record<string, (response: http.ServerResponse) => void>> = {
  length: (response) => void response.writeHead(200, { 'Content-Length': body.length }).end(body),
  chunks: (response) => {
    inPieces(response)
    response.end()
  },
  trailers: (response) => {
    response.writeHead(200, { Trailer: 'Digest' })
    inPieces(response)
    response.addTrailers({ Digest: digest })
    response.end()
  },
  half: (response) => {
    response.writeHead(200, { 'Content-Length': body.length })
    response.write(body.subarray(0, 2 * MIB))
    open.push(response)
  },
  halfChunks: (response) => {
    response.write(body.subarray(0, 2 * MIB))
    open.push(response)
  },
  text: (response) => {
    response.writeHead(200, { 'Content-Type': 'text/plain' }).end(body.toString('hex'))
  },
  short: (response) => void response.end('short'),
  events: (response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: first\n\n')
    open.push(response)
  },
  empty: (response) => void response.writeHead(204).end(),
  unchanged: (response) => void response.writeHead(304).end(),
  page: (response) => void response.end('the page'),
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-spool-'))
  origin = await startHttpOrigin((request, response) => {
    ports.push(request.socket.remotePort!)
    response.on('error', () => {})
    if (unavailable-- > 0) return void response.writeHead(503).end(body)
    answers[request.url!.slice(request.url!.lastIndexOf('/') + 1)]!(response)
  })
})

afterAll(async () => {
  await origin?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const clients: RawClient[] = []

beforeEach(() => {
  unavailable = 0
  ports.length = 0
})
afterEach(() => {
  for (const response of open.splice(0)) response.destroy()
  for (const client of clients.splice(0)) client.destroy()
})

function routes(): Record<string, unknown> {
  const small = { memResponseBodyBytes: 64 * 1024 }
  const middlewares = {
    plain: { buffering: small },
    limited: { buffering: { ...small, maxResponseBodyBytes: 4 * MIB } },
    again: { buffering: { ...small, retryExpression: 'ResponseCode() == 503 && Attempts() < 3' } },
    streaming: { buffering: { ...small, disableResponseBuffer: true } },
    eager: { buffering: { ...small, disableRequestBuffer: true } },
    roomy: { buffering: { memResponseBodyBytes: 8 * MIB } },
    tiny: { buffering: { maxResponseBodyBytes: 3 } },
    squeeze: { compress: { encodings: ['gzip'] } },
    pages: { errors: { status: ['500-599'], service: 'origin', query: '/page' } },
  }
  const router = (name: string, chain: string[]) => ({
    rule: `PathPrefix(\`/${name}/\`)`,
    entryPoints: ['web'],
    service: 'origin',
    middlewares: chain,
  })
  return {
    http: {
      routers: {
        plain: router('plain', ['plain']),
        limited: router('limited', ['limited']),
        again: router('again', ['again']),
        streaming: router('streaming', ['streaming']),
        squeezed: router('squeezed', ['squeeze', 'plain']),
        eager: router('eager', ['eager']),
        twice: router('twice', ['roomy', 'plain']),
        tiny: router('tiny', ['pages', 'tiny']),
        paged: router('paged', ['pages', 'limited']),
      },
      middlewares,
      services: { origin: { loadBalancer: { servers: [{ url: origin.url }] } } },
    },
  }
}

const start = (engine: 'node' | 'uws', buffering: Record<string, unknown> = {}) =>
  startGateway({
    engine,
    static: { buffering: { directory: folder, ...buffering } },
    routes: routes(),
  })

const nothingIsLeft = (): Promise<void> => scene.nothingIsLeft(gateway, folder)
const files = (): Promise<number> => scene.metric(gateway, 'sluice_buffering_files_total')

const get = (target: string, headers: http.OutgoingHttpHeaders = {}): Promise<scene.Answer> =>
  scene.get(gateway, target, headers)

async function ask(target: string, method = 'GET'): Promise<RawClient> {
  const client = await connectRaw(gateway.port)
  clients.push(client)
  return client.send(`${method} ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
}

async function someIsInTheFile(): Promise<void> {
  await eventually('some of it to be in the file', async () => {
    return (await scene.diskBytes(gateway)) >= MIB
  })
}

describe.each(['node', 'uws'] as const)('a long response body, engine %s', (engine) => {
  beforeAll(async () => {
    gateway = await start(engine)
  })
  afterAll(() => gateway?.stop())

  test.each(['length', 'chunks'])('arrives byte for byte, with its length (%s)', async (kind) => {
    const before = await files()
    const answer = await get(`/plain/${kind}`)
    expect(answer.status).toBe(200)
    expect(answer.headers['content-length']).toBe(String(body.length))
    expect(digestOf(answer.bytes)).toBe(digest)
    expect(await files()).toBe(before + 1)
    await nothingIsLeft()
  })

  test.each(['half', 'halfChunks'])(
    'is not seen by the client before it is whole (%s)',
    async (kind) => {
      const client = await ask(`/plain/${kind}`)
      await someIsInTheFile()
      expect(client.receivedBytes).toBe(0)
      open[0]!.end(body.subarray(2 * MIB))
      const response = await client.readResponse()
      expect(digestOf(Buffer.from(response.body, 'latin1'))).toBe(digest)
      await nothingIsLeft()
    },
  )

  test('frees the connection of its server while the client does not read', async () => {
    const client = await ask('/plain/half')
    await someIsInTheFile()
    client.socket.pause()
    open[0]!.end(body.subarray(2 * MIB))
    await eventually('all of it to be in the file', async () => {
      return (await scene.diskBytes(gateway)) >= 5 * MIB
    })
    await eventually('a request to go over the same connection', async () => {
      expect((await get('/plain/short')).bytes.toString()).toBe('short')
      return ports.at(-1) === ports[0]
    })
    expect(scene.openFiles(gateway, folder)).toBe(1)
    client.socket.resume()
    const response = await client.readResponse()
    expect(digestOf(Buffer.from(response.body, 'latin1'))).toBe(digest)
    await nothingIsLeft()
  })

  test.each(['length', 'chunks'])('that is too long becomes 500 (%s)', async (kind) => {
    const answer = await get(`/limited/${kind}`)
    expect(answer.status).toBe(500)
    expect(answer.bytes.toString()).toContain('RESPONSE_BODY_TOO_LARGE')
    await nothingIsLeft()
  })

  test.each(['length', 'chunks'])('that is too long becomes an error page (%s)', async (kind) => {
    const answer = await get(`/paged/${kind}`)
    expect([answer.status, answer.bytes.toString()]).toEqual([500, 'the page'])
    await nothingIsLeft()
  })

  test('leaves no descriptor when the client leaves before it is whole', async () => {
    const client = await ask('/plain/half')
    await someIsInTheFile()
    client.reset()
    await nothingIsLeft()
  })

  test('leaves no descriptor when the client leaves half way', async () => {
    const client = await ask('/plain/length')
    await client.until('a part of it', () => client.receivedBytes > 0)
    client.destroy()
    await nothingIsLeft()
  })

  test.each(['half', 'halfChunks'])('is a 502 when the server dies half way (%s)', async (kind) => {
    const client = await ask(`/plain/${kind}`)
    await someIsInTheFile()
    open[0]!.destroy()
    expect((await client.readResponse()).status).toBe(502)
    await nothingIsLeft()
  })

  test('is compressed on its way to the file, with the length that it has then', async () => {
    const answer = await get('/squeezed/text', { 'Accept-Encoding': 'gzip' })
    expect(answer.headers['content-encoding']).toBe('gzip')
    expect(answer.headers['content-length']).toBe(String(answer.bytes.length))
    expect(gunzipSync(answer.bytes).toString()).toBe(body.toString('hex'))
    await nothingIsLeft()
  })

  test('makes a file for the answer that retryExpression lets through', async () => {
    unavailable = 2
    const before = await files()
    expect(digestOf((await get('/again/length')).bytes)).toBe(digest)
    expect(ports.length).toBe(3)
    expect(await files()).toBe(before + 1)
    await nothingIsLeft()
  })

  test('makes no file when it fits in memory, has no body, is of events, or is not buffered', async () => {
    const before = await files()
    expect((await get('/plain/short')).bytes.toString()).toBe('short')
    expect((await get('/plain/empty')).status).toBe(204)
    expect((await get('/plain/unchanged')).status).toBe(304)
    const head = await ask('/plain/length', 'HEAD')
    expect((await head.readResponse(true)).headers.get('content-length')).toBe(String(body.length))
    await (await ask('/plain/events')).untilText('data: first')
    expect(digestOf((await get('/streaming/chunks')).bytes)).toBe(digest)
    expect(await files()).toBe(before)
  })
})

describe('a long response body of HTTP/1', () => {
  beforeAll(async () => {
    gateway = await start('node')
  })
  afterAll(() => gateway?.stop())

  test('keeps its trailers', async () => {
    const answer = await get('/plain/trailers')
    expect(digestOf(answer.bytes)).toBe(digest)
    expect(answer.trailers).toEqual({ digest })
    await nothingIsLeft()
  })

  test('keeps the connection of its client for the next request', async () => {
    const client = await ask('/plain/chunks')
    client.send('GET /plain/short HTTP/1.1\r\nHost: a.test\r\n\r\n')
    expect((await client.readResponse()).body.length).toBe(body.length)
    expect((await client.readResponse()).body).toBe('short')
  })

  test('arrives though its server did not wait for the whole request', async () => {
    const client = await connectRaw(gateway.port)
    clients.push(client)
    client.send('POST /eager/length HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\na')
    const response = await client.readResponse()
    expect(digestOf(Buffer.from(response.body, 'latin1'))).toBe(digest)
    await nothingIsLeft()
  })

  test('goes through two bufferings, of which the second may hold it in memory', async () => {
    const before = await files()
    expect(digestOf((await get('/twice/chunks')).bytes)).toBe(digest)
    expect(await files()).toBe(before + 1)
    await nothingIsLeft()
  })

  test('that is too long by one piece gives way to an error page and nothing else', async () => {
    const client = await ask('/tiny/short')
    client.send('GET /plain/short HTTP/1.1\r\nHost: a.test\r\n\r\n')
    const page = await client.readResponse()
    expect([page.status, page.body]).toEqual([500, 'the page'])
    expect((await client.readResponse()).body).toBe('short')
  })
})

describe('a long response body of HTTP/2', () => {
  const session = scene.useSession(async () => (gateway = await start('node')))

  test('arrives byte for byte once it is whole', async () => {
    const stream = session().request({ ':path': '/plain/halfChunks' })
    let heads = 0
    stream.on('response', () => heads++)
    await someIsInTheFile()
    expect(heads).toBe(0)
    open[0]!.end(body.subarray(2 * MIB))
    const pieces: Buffer[] = []
    for await (const piece of stream) pieces.push(piece as Buffer)
    expect(digestOf(Buffer.concat(pieces))).toBe(digest)
    await nothingIsLeft()
  })

  test('leaves no descriptor when its stream is reset', async () => {
    const stream = session().request({ ':path': '/plain/length' })
    stream.on('error', () => {})
    await new Promise((resolve) => stream.once('response', resolve))
    stream.close(http2.constants.NGHTTP2_CANCEL)
    await nothingIsLeft()
  })
})

describe('where files are not to be had', () => {
  afterEach(() => gateway?.stop())

  test('a response beyond diskBytesMax is a 507, and the next one is served', async () => {
    gateway = await start('node', { diskBytesMax: 2 * MIB })
    for (const kind of ['length', 'chunks']) {
      const answer = await get(`/plain/${kind}`)
      expect(answer.status).toBe(507)
      expect(answer.bytes.toString()).toContain('SPOOL_FULL')
      await nothingIsLeft()
    }
    expect((await get('/plain/short')).status).toBe(200)
    expect(await scene.metric(gateway, 'sluice_buffering_disk_refusals_total')).toBe(2)
  })

  test('a folder that vanished is a 507, with the reason in the log', async () => {
    const own = mkdtempSync(path.join(tmpdir(), 'sluice-spool-'))
    gateway = await start('node', { directory: own })
    rmSync(own, { recursive: true })
    const answer = await get('/plain/length')
    expect(answer.status).toBe(507)
    expect(answer.bytes.toString()).toContain('SPOOL_FAILED')
    await gateway.untilStderr('ENOENT')
  })

  test('with diskBytesMax 0 a long response streams', async () => {
    gateway = await start('node', { diskBytesMax: 0 })
    for (const kind of ['half', 'halfChunks']) {
      const client = await ask(`/plain/${kind}`)
      await client.until('its first part', () => client.receivedBytes >= MIB)
      open.pop()!.end(body.subarray(2 * MIB))
      const response = await client.readResponse()
      expect(digestOf(Buffer.from(response.body, 'latin1'))).toBe(digest)
    }
  })
})
