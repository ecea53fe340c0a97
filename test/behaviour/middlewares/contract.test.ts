// What core/middleware promises middlewares that wait, keep bodies, collect responses or ask servers of their own.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { RESPONSE_BODY_TOO_LARGE, SIDE_TIMEOUT } from '../../../core/errors.ts'
import type { Exchange } from '../../../core/exchange.ts'
import { BodyKeeper, COLLECT, TEE } from '../../../core/middleware/body-keeper.ts'
import {
  AGAIN,
  ANSWERED,
  KEEP,
  NEXT,
  RequestMiddleware,
  type ResponseVerdict,
  type Verdict,
  WAIT,
} from '../../../core/middleware/contract.ts'
import type { SideAnswer, SideRequest } from '../../../core/middleware/worker.ts'
import { type HttpWorker, startHttpWorker } from '../../support/http-worker.ts'
import { type ScriptedOrigin, startScriptedOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { requestText, responseText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

let origin: ScriptedOrigin
let worker: HttpWorker
let client: RawClient
let dying = 0 // so many requests end their connection
const bodies: string[] = [] // that the server has got

beforeAll(async () => {
  origin = await startScriptedOrigin(async (connection) => {
    for (;;) {
      const begun = await connection.readRequestHead(60_000)
      if (dying > 0) {
        dying--
        return connection.destroy()
      }
      const { head, body } = await connection.readBody(begun)
      bodies.push(body)
      if (head.startsWith('GET /silent')) continue
      if (head.startsWith('GET /big')) connection.send(responseText('x'.repeat(5000)))
      else connection.send(responseText(`got ${body.length}`))
    }
  })
  worker = await startHttpWorker([origin.url])
})

beforeEach(async () => {
  bodies.length = 0
  client = await connectRaw(worker.port)
})

afterEach(() => client.destroy())

afterAll(async () => {
  worker.stop()
  await origin.stop()
})

class Scripted extends RequestMiddleware {
  readonly kind = 'scripted'
  override readonly hasResponse = true
  override readonly hasFinish = true
  calls = 0
  finished = 0
  private readonly request: (exchange: Exchange, call: number) => Verdict
  private readonly response: (exchange: Exchange) => void

  constructor(request: Scripted['request'], response: Scripted['response'] = () => {}) {
    super('scripted@test')
    this.request = request
    this.response = response
  }

  onRequest(exchange: Exchange): Verdict {
    return this.request(exchange, ++this.calls)
  }

  override onResponse(exchange: Exchange): ResponseVerdict {
    this.response(exchange)
    return KEEP
  }

  override onFinish(): void {
    this.finished++
  }

  explain(): string {
    return ''
  }
}

function use(...middlewares: Scripted[]): void {
  worker.use(middlewares)
}

async function answerTo(text: string): Promise<string> {
  client.send(text)
  const { status, body } = await client.readResponse(text.startsWith('HEAD'))
  return `${status} ${body}`
}

const large = 'b'.repeat(300_000)

describe('a middleware that waits', () => {
  test.each(['', 'a body', large])('goes on when it is woken, with its body (%#)', async (body) => {
    const waiting = new Scripted((exchange) => {
      const { serial } = exchange
      worker.context.services.after(10, () => {
        expect(bodies).toEqual([])
        worker.context.services.wake(exchange, serial, NEXT)
        worker.context.services.wake(exchange, serial, NEXT) // once too often
      })
      return WAIT
    })
    use(waiting)
    for (let time = 1; time <= 3; time++) {
      expect(await answerTo(requestText('POST', '/', '', body))).toBe(`200 got ${body.length}`)
      expect([waiting.calls, waiting.finished]).toEqual([time, time])
      bodies.length = 0
    }
  })

  test('may answer instead, and the connection goes on', async () => {
    use(
      new Scripted((exchange) => {
        const { serial } = exchange
        worker.context.services.after(5, () => {
          exchange.answer(401, 0, 'no', 'text/plain')
          worker.context.services.wake(exchange, serial, ANSWERED)
        })
        return WAIT
      }),
    )
    expect(await answerTo(requestText('GET', '/'))).toBe('401 no')
    expect(await answerTo(requestText('GET', '/'))).toBe('401 no')
    expect(await answerTo(requestText('POST', '/', '', large))).toBe('401 no')
    expect(bodies).toEqual([])
  })

  test('is told when the client leaves, and waking then does nothing', async () => {
    const kept: { exchange: Exchange; serial: number }[] = []
    const waiting = new Scripted((exchange) => {
      kept.push({ exchange, serial: exchange.serial })
      return WAIT
    })
    use(waiting)
    client.send(requestText('GET', '/'))
    await eventually('the request', () => kept.length === 1)
    client.reset()
    await eventually('the finish', () => waiting.finished === 1)
    worker.context.services.wake(kept[0]!.exchange, kept[0]!.serial, NEXT)
    expect(bodies).toEqual([])
  })

  test('AGAIN calls the same one once more', async () => {
    const twice = new Scripted((exchange, call) => {
      if (call === 2) return NEXT
      const { serial } = exchange
      worker.context.services.after(5, () => worker.context.services.wake(exchange, serial, NEXT))
      return AGAIN
    })
    use(twice)
    expect(await answerTo(requestText('GET', '/'))).toBe('200 got 0')
    expect([twice.calls, twice.finished]).toEqual([2, 1])
  })
})

const collecting = (bytesMax: number, seen: string[] = []) =>
  new Scripted((exchange) => {
    if (exchange.keeper === null) {
      exchange.keeper = new BodyKeeper(bytesMax, COLLECT)
      return AGAIN
    }
    seen.push(Buffer.from(exchange.keeper.whole()).toString())
    return NEXT
  })

const chunked = `POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`

describe('a body that is collected', () => {
  test('is whole when the middleware is called again, and the server gets all of it', async () => {
    const seen: string[] = []
    use(collecting(1_000_000, seen))
    expect(await answerTo(requestText('POST', '/', '', large))).toBe('200 got 300000')
    expect(await answerTo(chunked)).toBe('200 got 5')
    expect(seen).toEqual([large, 'abcde'])
    expect(bodies).toEqual([large, 'abcde'])
  })

  test('may come in the smallest pieces', async () => {
    use(collecting(100))
    for (const letter of chunked) client.send(letter)
    expect((await client.readResponse()).body).toBe('got 5')
  })

  test('is refused when it is longer than the bound', async () => {
    use(collecting(1000))
    expect(await answerTo(requestText('POST', '/', '', large))).toMatch(/^413 .*BODY_TOO_LARGE/)
    expect(bodies).toEqual([])
  })
})

const keepingBeside = (bytesMax: number, keepers: BodyKeeper[] = []) =>
  new Scripted((exchange) => {
    exchange.keeper = new BodyKeeper(bytesMax, TEE)
    keepers.push(exchange.keeper)
    return NEXT
  })

describe('a body that is kept beside', () => {
  // A kept connection dies once it has the head and some of the body; the method is idempotent.
  test.each([10, 300_000])('goes to the server once more (%i bytes)', async (length) => {
    use(keepingBeside(1_000_000))
    expect(await answerTo(requestText('GET', '/'))).toBe('200 got 0')
    bodies.length = 0
    dying = 1
    expect(await answerTo(requestText('PUT', '/', '', 'b'.repeat(length)))).toBe(
      `200 got ${length}`,
    )
    expect([bodies, dying]).toEqual([['b'.repeat(length)], 0])
  })

  test('is not sent again when the method is none for it', async () => {
    use(keepingBeside(1_000_000))
    expect(await answerTo(requestText('GET', '/'))).toBe('200 got 0')
    dying = 1
    expect(await answerTo(requestText('POST', '/', '', large))).toMatch(/^502 .*UPSTREAM_RESET/)
  })

  test('passes though it is longer than the bound', async () => {
    const keepers: BodyKeeper[] = []
    use(keepingBeside(1000, keepers))
    expect(await answerTo(requestText('PUT', '/', '', large))).toBe('200 got 300000')
    expect(keepers.map(({ overflowed, pieces }) => [overflowed, pieces.length])).toEqual([
      [true, 0],
    ])
  })
})

describe('a response that is collected', () => {
  const collected = (bytesMax: number, change: (body: string) => string) =>
    new Scripted(
      (exchange) => {
        exchange.collectResponseMax = bytesMax
        return NEXT
      },
      (exchange) => {
        const body = exchange.responseBody
        if (body !== null) exchange.responseBody = Buffer.from(change(Buffer.from(body).toString()))
      },
    )

  test('is seen, and may be changed, before its head goes out', async () => {
    use(collected(10_000, (body) => body.toUpperCase() + '!'))
    expect(await answerTo(requestText('GET', '/'))).toBe('200 GOT 0!')
    expect(await answerTo(requestText('HEAD', '/'))).toBe('200 ')
    expect(await answerTo(requestText('GET', '/'))).toBe('200 GOT 0!')
  })

  test('is refused when it is longer than the bound', async () => {
    use(collected(1000, (body) => body))
    expect(await answerTo(requestText('GET', '/big'))).toMatch(/^500 .*RESPONSE_BODY_TOO_LARGE/)
    expect(await answerTo(requestText('GET', '/'))).toBe('200 got 0')
  })
})

describe('a request of our own', () => {
  const asked: SideRequest = {
    service: '',
    url: '',
    transport: '',
    method: 'POST',
    path: '/auth?x=1',
    authority: 'auth.test',
    headers: [['X-Asked', 'yes']],
    body: [Buffer.from('ab'), Buffer.from('c')],
    timeoutMs: 5000,
    bodyMax: 1000,
  }

  function ask(over: Partial<SideRequest>): Promise<string> {
    return new Promise((resolve) => {
      worker.context.services.ask({ ...asked, url: origin.url, ...over }, (answer, code) =>
        resolve(answer === null ? `code ${code}` : textOf(answer)),
      )
    })
  }

  function textOf({ status, headers, body }: SideAnswer): string {
    return `${status} ${headers.get('content-length')} ${Buffer.from(body).toString()}`
  }

  test('goes to a URL and to a service, again and again on kept connections', async () => {
    const before = origin.connections.length
    for (let i = 0; i < 5; i++) expect(await ask({})).toBe('200 5 got 3')
    expect(await ask({ url: '', service: 'origin@file' })).toBe('200 5 got 3')
    expect(bodies).toEqual(Array(6).fill('abc'))
    expect(origin.connections.length - before).toBeLessThanOrEqual(2)
  })

  test('ends with a code when it takes too long, is too long, or reaches nobody', async () => {
    expect(await ask({ method: 'GET', path: '/silent', body: [], timeoutMs: 50 })).toBe(
      `code ${SIDE_TIMEOUT}`,
    )
    expect(await ask({ method: 'GET', path: '/big', body: [] })).toBe(
      `code ${RESPONSE_BODY_TOO_LARGE}`,
    )
    expect(await ask({ url: '', service: 'nobody@file' })).toMatch(/^code \d+$/)
    expect(await ask({ headers: [['X-Bad', 'a\r\nX-Injected: 1']] })).toMatch(/^(?:code|200)/)
    expect(await ask({})).toBe('200 5 got 3')
  })
})
