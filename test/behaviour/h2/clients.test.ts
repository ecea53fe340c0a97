// Clients that others have written: nghttp2 (by node:http2, curl and h2load) against our codec, in both directions.

import { execFile, execFileSync } from 'node:child_process'
import http2 from 'node:http2'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'

let origin: HttpOrigin
let gateway: Gateway
const sessions: http2.ClientHttp2Session[] = []

beforeAll(async () => {
  origin = await startHttpOrigin((request, response) => {
    if (request.url === '/headers') {
      for (const [name, value] of Object.entries(request.headers)) {
        if (name.startsWith('x-t')) response.setHeader(name, value!)
      }
      response.setHeader('content-type', 'text/plain')
      return void response.end(JSON.stringify(request.headers['cookie'] ?? ''))
    }
    response.writeHead(200, { 'content-type': 'application/octet-stream', trailer: 'x-end' })
    request.pipe(response, { end: false })
    request.on('end', () => {
      response.addTrailers({ 'x-end': 'yes' })
      response.end()
    })
  })
  gateway = await startGateway({ routes: routesTo([origin.url]) })
})
afterEach(() => {
  for (const session of sessions.splice(0)) session.destroy()
})
afterAll(async () => {
  await gateway.stop()
  await origin.stop()
})

function connect(settings: http2.Settings = {}): http2.ClientHttp2Session {
  const session = http2.connect(`http://127.0.0.1:${gateway.port}`, { settings })
  session.on('error', () => {})
  sessions.push(session)
  return session
}

interface Got {
  readonly headers: http2.IncomingHttpHeaders
  readonly body: Buffer
  readonly trailers: http2.IncomingHttpHeaders | null
}

function ask(
  session: http2.ClientHttp2Session,
  fields: http2.OutgoingHttpHeaders,
  body: Buffer | null = null,
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const stream = session.request(fields, { endStream: body === null })
    let headers: http2.IncomingHttpHeaders = {}
    let trailers: http2.IncomingHttpHeaders | null = null
    const pieces: Buffer[] = []
    stream.on('response', (got) => (headers = got))
    stream.on('trailers', (got) => (trailers = got))
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    stream.on('end', () => resolve({ headers, body: Buffer.concat(pieces), trailers }))
    stream.on('error', reject)
    if (body !== null) stream.end(body)
  })
}

// A generator whose values can be seen again: the seed is in the name of the test.
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const VISIBLE = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i))
const LATIN = Array.from({ length: 96 }, (_, i) => String.fromCharCode(160 + i))

// node:http2 sends text as UTF-8 and reads bytes as latin1.
function onWire(text: string): string {
  return Buffer.from(text).toString('latin1')
}

test.each([0, 256, 4096])(
  'fields survive both header tables, request after request (a table of %i bytes for answers)',
  async (headerTableSize) => {
    const random = randomOf(4711 + headerTableSize)
    const session = connect({ headerTableSize })
    const kept: string[] = []
    for (let round = 0; round < 150; round++) {
      const fields: Record<string, string> = {}
      for (let i = 0; i < 1 + random() * 6; i++) {
        const letters = random() < 0.2 ? LATIN : VISIBLE
        const length = Math.floor(random() * (random() < 0.1 ? 1500 : 40))
        const fresh = Array.from(
          { length },
          () => letters[Math.floor(random() * letters.length)],
        ).join('')
        const value =
          random() < 0.4 && kept.length > 0 ? kept[Math.floor(random() * kept.length)]! : fresh
        kept.push(value)
        fields[`x-t${Math.floor(random() * 12)}`] = value
      }
      const { headers } = await ask(session, { ':path': '/headers', ...fields })
      for (const [name, value] of Object.entries(fields)) {
        expect([round, name, headers[name] ?? '']).toEqual([round, name, onWire(value)])
      }
    }
  },
)

test('every byte that a value may hold comes through the Huffman code of nghttp2', async () => {
  const session = connect()
  for (const character of [...VISIBLE, ...LATIN]) {
    const value = character.repeat(9)
    const { headers } = await ask(session, { ':path': '/headers', 'x-t1': value })
    expect(headers['x-t1']).toBe(onWire(value))
  }
})

test('cookies in crumbs reach the server as one line', async () => {
  const { body } = await ask(connect(), { ':path': '/headers', cookie: ['a=1', 'b=2', 'c=3'] })
  expect(JSON.parse(body.toString())).toBe('a=1; b=2; c=3')
})

test('bodies of all sizes come back as they were, many at once, with their trailers', async () => {
  const session = connect()
  const sizes = [0, 1, 16_384, 16_385, 65_535, 65_536, 200_000, 1_000_000, 3_000_000]
  const got = await Promise.all(
    sizes.map((size, i) =>
      ask(session, { ':method': 'POST', ':path': '/echo' }, Buffer.alloc(size, i + 65)),
    ),
  )
  got.forEach(({ body, trailers }, i) => {
    expect([body.length, body.every((byte) => byte === i + 65)]).toEqual([sizes[i], true])
    expect(trailers?.['x-end']).toBe('yes')
  })
})

test('a small window of the client is kept to, whatever the size of the answer', async () => {
  const session = connect({ initialWindowSize: 100 })
  const { body } = await ask(
    session,
    { ':method': 'POST', ':path': '/echo' },
    Buffer.alloc(20_000, 'w'),
  )
  expect(body.toString()).toBe('w'.repeat(20_000))
})

function found(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function run(program: string, flags: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, flags, { timeout: 50_000 }, (fault, stdout) =>
      fault === null ? resolve(stdout) : reject(fault),
    )
  })
}

test.skipIf(!found('curl'))(
  'curl speaks HTTP/2 by prior knowledge (skipped without curl)',
  async () => {
    const url = `http://127.0.0.1:${gateway.port}/echo`
    const flags = [
      '-sS',
      '--http2-prior-knowledge',
      '-w',
      ' %{http_version} %{http_code}',
      '-d',
      'from curl',
      url,
    ]
    expect(await run('curl', flags)).toBe('from curl 2 200')
  },
)

test.skipIf(!found('h2load'))(
  'h2load: 10,000 requests, none fails (skipped without h2load)',
  async () => {
    const url = `http://127.0.0.1:${gateway.port}/headers`
    const told = await run('h2load', ['-n', '10000', '-c', '4', '-m', '32', url])
    expect(told).toContain('10000 succeeded, 0 failed, 0 errored')
  },
)

test.skipIf(!found('nghttp'))('nghttp uploads and downloads (skipped without nghttp)', async () => {
  const url = `http://127.0.0.1:${gateway.port}/echo`
  const told = await run('nghttp', ['-nv', '-d', import.meta.filename, url])
  expect(told).toMatch(/:status: 200/)
  expect(told).toMatch(/x-end: yes/)
})

test('no defect was told', () => {
  expect(gateway.stderr()).not.toContain('defect')
})
