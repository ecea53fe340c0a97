// core/middleware/refusal-pages.ts: what clients read when the gateway turns them away, by error, status and form.
//
// Owner:  the thread. A page is made when it is first wanted and kept: a flood of refusals makes none. There are as many
//         as errors and forms, and for the few errors whose status is configured one more of each (rejectStatusCode...).
// Hot:    yes, under attack: two look-ups per refusal.
//
// What went wrong behind the gateway is told by its code alone, as ever; sentences are those of the table for what the
// client did, and say no more than the status for the rest. Text is ASCII, one byte per character.

import { NO_ROUTER, errorTable } from '../errors.ts'
import { statusPhrase } from '../h1/status.ts'
import { FORM_HTML, FORM_TEXT, type AnswerForm } from './answer-form.ts'

const STATUSES = 1000
const pages: Map<number, string>[] = [new Map(), new Map(), new Map(), new Map()] // by form

export function refusalPage(code: number, status: number, form: AnswerForm): string {
  const key = code * STATUSES + status
  const known = pages[form]!.get(key)
  if (known !== undefined) return known
  const page = makePage(code, status, form)
  pages[form]!.set(key, page)
  return page
}

function makePage(code: number, status: number, form: AnswerForm): string {
  if (form === FORM_TEXT) return textPage(code, status)
  const title = statusPhrase(status) || 'Error'
  const { name } = errorTable[code]!
  const detail = detailOf(code, status)
  if (form === FORM_HTML) return htmlPage(status, title, detail, name)
  return asciiJson({ type: 'about:blank', title, status, detail, code: name })
}

function textPage(code: number, status: number): string {
  if (code === NO_ROUTER) return '404 page not found\n' // Traefik's words
  return statusPhrase(status) + ' (' + errorTable[code]!.name + ')\n'
}

const details: ReadonlyMap<number, string> = new Map([
  [404, 'There is nothing at this address.'],
  [429, 'Too many requests. Try again later.'],
  [500, 'The request could not be served.'],
  [502, 'The service gave no usable answer.'],
  [503, 'The service is not available for the moment. Try again later.'],
  [504, 'The service did not answer in time.'],
])

function detailOf(code: number, status: number): string {
  const { side, sentence } = errorTable[code]!
  return side === 'client' ? sentence : (details.get(status) ?? 'The request was refused.')
}

// Nothing is loaded, nothing runs (PAGE_POLICY); below 1 KiB, so that nobody compresses it.
export const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em;color:#222;background:#fff}' +
  'h1{font-weight:600}small{color:#666}' +
  '@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}small{color:#999}}'

function htmlPage(status: number, title: string, detail: string, code: string): string {
  const heading = asciiHtml(`${status} ${title}`)
  return (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
    '<meta name="viewport" content="width=device-width,initial-scale=1">' +
    `<title>${heading}</title><style>${STYLE}</style></head>` +
    `<body><h1>${heading}</h1><p>${asciiHtml(detail)}</p><small>${code}</small></body></html>\n`
  )
}

// An answer is one byte per character: what is not ASCII is written as references, or escapes.
export function asciiHtml(text: string): string {
  return [...text]
    .map((c) => (/[ -~]/.test(c) && !/[<>&"]/.test(c) ? c : `&#${c.codePointAt(0)};`))
    .join('')
}

export function asciiJson(value: unknown): string {
  const text = JSON.stringify(value)
  return text.replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
