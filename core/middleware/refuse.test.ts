// What a client reads when it is turned away.
import { describe, expect, it } from 'vitest'
import {
  INTERNAL,
  NO_ROUTER,
  REFUSED_ADDRESS,
  UPSTREAM_CERTIFICATE,
  errorTable,
} from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { FORM_HTML, FORM_JSON, FORM_PROBLEM, FORM_TEXT } from './answer-form.ts'
import { ANSWERED } from './contract.ts'
import { requestOf, sentLines } from './exchange.fixture.ts'
import { PAGE_POLICY, refusalPage } from './refusal-pages.ts'
import { refuseWith } from './refuse.ts'

const codes = errorTable.map((_fact, code) => code).slice(1)

function refused(code: number, headers: string[], errorPages = true, status = 0): Exchange {
  const exchange = requestOf('GET / HTTP/1.1', headers)
  exchange.errorPages = errorPages
  expect(refuseWith(exchange, code, status)).toBe(ANSWERED)
  expect(exchange.responseLength).toBe(String(exchange.answerBody).length)
  return exchange
}

describe('pages', () => {
  it.each(codes)('of %i are ASCII, name the code, and load and run nothing', (code) => {
    const { name, status } = errorTable[code]!
    for (const form of [FORM_TEXT, FORM_HTML, FORM_PROBLEM, FORM_JSON] as const) {
      const page = refusalPage(code, status, form)
      expect(page).toMatch(/^[ -~\n]+$/)
      expect(page.length).toBeLessThan(1024)
      if (code !== NO_ROUTER || form !== FORM_TEXT) expect(page).toContain(name)
      expect(refusalPage(code, status, form)).toBe(page)
    }
    const html = refusalPage(code, status, FORM_HTML)
    expect(html).toMatch(/^<!doctype html><html lang="en">.*<\/html>\n$/)
    expect(html).not.toMatch(/<script|<img|<link|<a |src=|href=|url\(|@import|\bon\w+=/i)
    const { sentence, side } = errorTable[code]!
    const problem = JSON.parse(refusalPage(code, status, FORM_PROBLEM)) as Record<string, unknown>
    expect(Object.keys(problem)).toEqual(['type', 'title', 'status', 'detail', 'code'])
    expect(problem).toMatchObject({ type: 'about:blank', status, code: name })
    expect(problem['title']).not.toBe('')
    if (side !== 'client') expect(problem['detail']).not.toBe(sentence)
    expect(refusalPage(code, status, FORM_JSON)).toBe(refusalPage(code, status, FORM_PROBLEM))
  })

  it('escapes what a sentence holds', () => {
    const code = errorTable.findIndex(({ name }) => name === 'REQUEST_FRAGMENT')
    expect(refusalPage(code, 400, FORM_HTML)).toContain(
      '<p>The request target holds a raw &#34;#&#34;.</p>',
    )
  })

  it('are those of the status where a middleware has one of its own', () => {
    expect(refusalPage(REFUSED_ADDRESS, 404, FORM_TEXT)).toBe('Not Found (REFUSED_ADDRESS)\n')
    expect(refusalPage(REFUSED_ADDRESS, 403, FORM_TEXT)).toBe('Forbidden (REFUSED_ADDRESS)\n')
    expect(refusalPage(REFUSED_ADDRESS, 460, FORM_HTML)).toContain('<h1>460 Error</h1>')
  })
})

describe('a refusal', () => {
  it.each([
    ['text/html', 'text/html; charset=utf-8'],
    ['application/json', 'application/json'],
    ['application/problem+json', 'application/problem+json'],
    ['text/plain', 'text/plain; charset=utf-8'],
  ])('for %s is %s', (accept, type) => {
    const lines = sentLines(refused(INTERNAL, [`Accept: ${accept}`]).response)
    const expected = [`Content-Type: ${type}`, 'Vary: Accept']
    if (accept === 'text/html') expected.push(`Content-Security-Policy: ${PAGE_POLICY}`)
    expect(lines).toEqual(expected)
  })

  it.each([[[]], [['Accept: */*']], [['Accept: image/png']]])('for %j is the text', (headers) => {
    const { answerBody, response } = refused(NO_ROUTER, headers)
    expect(answerBody).toBe('404 page not found\n')
    expect(response.get('vary')).toBe('Accept')
  })

  it('is text without a word of Accept where pages are off', () => {
    const { answerBody, response } = refused(UPSTREAM_CERTIFICATE, ['Accept: text/html'], false)
    expect(answerBody).toBe('Bad Gateway (UPSTREAM_CERTIFICATE)\n')
    expect(sentLines(response)).toEqual(['Content-Type: text/plain; charset=utf-8'])
  })

  it.each([
    ['a call of gRPC', ['Content-Type: application/grpc']],
    ['a call of gRPC-Web', ['Content-Type: application/grpc-web+proto']],
    ['a WebSocket', ['Connection: upgrade', 'Upgrade: websocket']],
  ])('of %s is text', (_what, headers) => {
    const { answerBody } = refused(INTERNAL, ['Accept: text/html', ...headers])
    expect(answerBody).toBe('Internal Server Error (INTERNAL)\n')
  })

  it('leaves nothing behind of the answer before', () => {
    const exchange = refused(INTERNAL, ['Accept: text/html'])
    exchange.request.set('Accept', 'application/json')
    refuseWith(exchange, NO_ROUTER, 0)
    expect(exchange.response.has('content-security-policy')).toBe(false)
    expect(exchange.response.getAll('vary')).toEqual(['Accept'])
  })
})
