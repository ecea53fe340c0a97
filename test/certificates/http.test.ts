// Requests of the supervisor are bounded in bytes and time, follow nobody, and say nothing secret when they fail.

import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requestHttp, retryAfterMs } from '../../certificates/http.ts'

describe('A request', () => {
  const server = http.createServer((request, response) => {
    if (request.url === '/long') response.end('x'.repeat(5000))
    else if (request.url === '/redirect') response.writeHead(302, { location: '/long' }).end()
    else if (request.url === '/slow') response.write('begin') // and never ends
    else if (request.url === '/cut')
      response
        .writeHead(200, { 'content-length': '100' })
        .write('x', () => request.socket.destroy())
    else if (request.url !== '/silent') request.pipe(response)
  })
  let url = ''
  beforeAll(async () => {
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  test('sends its body and reads the answer', async () => {
    const { status, body } = await requestHttp({
      method: 'POST',
      url: `${url}/echo`,
      body: 'hello',
    })
    expect([status, body.toString()]).toEqual([200, 'hello'])
  })

  test('ends at an answer that is too long', async () => {
    const long = { method: 'GET', url: `${url}/long` }
    await expect(requestHttp({ ...long, bytesMax: 4999 })).rejects.toThrow('longer than 4999 bytes')
    expect((await requestHttp({ ...long, bytesMax: 5000 })).body).toHaveLength(5000)
  })

  test('ends when there is no head in time, no end in time, or half an answer', async () => {
    const silent = requestHttp({ method: 'GET', url: `${url}/silent`, headerTimeoutMs: 50 })
    await expect(silent).rejects.toThrow('no head of an answer in time')
    const slow = requestHttp({
      method: 'GET',
      url: `${url}/slow`,
      headerTimeoutMs: 5000,
      timeoutMs: 100,
    })
    await expect(slow).rejects.toThrow('no answer in time')
    await expect(requestHttp({ method: 'GET', url: `${url}/cut` })).rejects.toThrow(
      /cut off|ECONNRESET|aborted/,
    )
  })

  test('follows no redirection', async () => {
    expect((await requestHttp({ method: 'GET', url: `${url}/redirect` })).status).toBe(302)
  })

  test('is called off with its signal, before it began too', async () => {
    const ending = new AbortController()
    const open = requestHttp({ method: 'GET', url: `${url}/silent`, signal: ending.signal })
    ending.abort()
    await expect(open).rejects.toThrow('called off')
    const late = requestHttp({ method: 'GET', url: `${url}/silent`, signal: ending.signal })
    await expect(late).rejects.toThrow('called off')
  })

  test('that fails names the host and neither path, query nor credentials', async () => {
    const secret = { authorization: 'Bearer secret-token' }
    const away = 'http://127.0.0.1:1/zones/secret-zone?key=secret-key'
    const fault = await requestHttp({ method: 'GET', url: away, headers: secret }).catch(String)
    expect(fault).toContain('127.0.0.1:1: ECONNREFUSED')
    expect(fault).not.toContain('secret')
    await expect(requestHttp({ method: 'GET', url: 'file:///etc/passwd' })).rejects.toThrow(
      'not one of http',
    )
  })
})

test('Retry-After is a number of seconds or a date', () => {
  const now = Date.UTC(2030, 0, 1)
  expect(retryAfterMs({ 'retry-after': '120' }, now)).toBe(120_000)
  expect(retryAfterMs({ 'retry-after': 'Tue, 01 Jan 2030 00:01:00 GMT' }, now)).toBe(60_000)
  expect(retryAfterMs({ 'retry-after': 'Mon, 31 Dec 2029 00:00:00 GMT' }, now)).toBe(0)
  expect(retryAfterMs({ 'retry-after': 'soon' }, now)).toBeNull()
  expect(retryAfterMs({}, now)).toBeNull()
})
