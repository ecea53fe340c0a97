// In which form a client wants an answer of ours: RFC 9110, section 12.5.1, and our order.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  FORM_HTML,
  FORM_JSON,
  FORM_PROBLEM,
  FORM_TEXT,
  type AnswerForm,
  formWantedBy,
} from './answer-form.ts'
import { requestOf } from './exchange.fixture.ts'

const wanted = (...accept: string[]) =>
  formWantedBy(
    requestOf(
      'GET / HTTP/1.1',
      accept.map((value) => `Accept: ${value}`),
    ).request,
  )

const CHROME =
  'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7'

describe('the form of an answer', () => {
  it('is text for a client that says nothing', () => {
    expect(wanted()).toBe(FORM_TEXT)
  })

  it.each<[string, AnswerForm]>([
    ['*/*', FORM_TEXT],
    ['', FORM_TEXT],
    ['text/plain', FORM_TEXT],
    ['text/*', FORM_TEXT],
    ['image/png', FORM_TEXT], // nothing of ours
    // What is out there.
    [CHROME, FORM_HTML],
    ['text/html, application/xhtml+xml, image/jxr, */*', FORM_HTML],
    ['application/json, text/plain, */*', FORM_JSON], // axios
    ['application/json, text/event-stream', FORM_JSON],
    ['image/avif,image/webp,image/*,*/*;q=0.8', FORM_TEXT], // <img>
    ['text/css,*/*;q=0.1', FORM_TEXT], // <link>
    ['text/event-stream', FORM_TEXT],
    // Names.
    ['TEXT/HTML', FORM_HTML],
    ['text/html;charset=utf-8;level=1', FORM_HTML],
    ['application/json', FORM_JSON],
    ['application/problem+json', FORM_PROBLEM],
    ['application/vnd.api+json', FORM_PROBLEM],
    ['application/*', FORM_PROBLEM],
    // Weights.
    ['text/html;q=0.5, application/json;q=0.6', FORM_JSON],
    ['text/html;q=0.6, application/json;q=0.5', FORM_HTML],
    ['text/html;q=0.9, */*', FORM_TEXT],
    ['text/html ; q=0.5 , application/problem+json; q=0.500', FORM_HTML], // a tie: the first
    ['application/problem+json, application/json', FORM_PROBLEM],
    ['text/html;level=1;q=0.3, application/json;q=0.2', FORM_HTML],
    ['*/*, text/html', FORM_HTML], // a tie: what is named
    ['text/html;q=0', FORM_TEXT],
    ['text/html;q=0.000, application/json;q=0.001', FORM_JSON],
    ['*/*;q=0', FORM_TEXT],
    // A range is what is not named otherwise.
    ['text/plain;q=0.1, */*', FORM_PROBLEM],
    ['text/plain;q=0, text/*', FORM_HTML],
    ['text/*;q=0.1, */*;q=0.5', FORM_PROBLEM],
    ['application/problem+json;q=0, application/*', FORM_JSON],
    ['application/*;q=0, text/plain;q=0, */*', FORM_HTML],
    // Malformed parts are as if they were not there.
    ['text/html;q=2', FORM_TEXT],
    ['text/html;q=high, application/json', FORM_JSON],
    ['text/html;q', FORM_TEXT],
    ['text/html;q=1;q=0.5', FORM_TEXT],
    ['text', FORM_TEXT],
    ['text/ht ml', FORM_TEXT],
    ['*/html', FORM_TEXT],
    ['html/', FORM_TEXT],
    [',,;,text/html', FORM_HTML],
  ])('for "%s" is %i', (accept, form) => {
    expect(wanted(accept)).toBe(form)
    expect(wanted(accept)).toBe(form) // from memory
  })

  it('takes several lines for one', () => {
    expect(wanted('text/html;q=0.5', 'application/json')).toBe(FORM_JSON)
  })

  it('is text when the header is too long to be looked at', () => {
    const padded = (length: number) => 'text/html' + ','.repeat(length - 'text/html'.length)
    expect([wanted(padded(512)), wanted(padded(513))]).toEqual([FORM_HTML, FORM_TEXT])
  })

  it('survives any bytes, and more values than it remembers', () => {
    const bytes = fc.string({
      unit: fc.constantFrom(...'texhml/*+jsonapic,;=q01. \t"\\\x80\xff'),
      maxLength: 600,
    })
    const forms = [FORM_TEXT, FORM_HTML, FORM_PROBLEM, FORM_JSON]
    fc.assert(
      fc.property(bytes, (accept) => forms.includes(wanted(accept.trim()))),
      { numRuns: 1000 },
    )
  })
})
