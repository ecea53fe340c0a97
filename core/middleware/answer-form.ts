// core/middleware/answer-form.ts: in which form a client wants an answer of ours: text, a page, or JSON.
//
// Owner:  the thread; what was decided of a value is kept, because clients send a handful of different ones.
// Hot:    yes, under attack: no Accept or "*/*" costs one look-up, a value that is known another one.
//
// The form with the highest weight wins; among equals one that is named wins over one that a range lets in, then the
// first. A range stands for what is not named otherwise, in the order of `ranges`. Nothing of ours is wanted: text.

import type { Head } from '../headers.ts'
import { ownCopy } from '../normalise-host.ts'
import { weightsIn } from './weights.ts'

export const FORM_TEXT = 0
export const FORM_HTML = 1
export const FORM_PROBLEM = 2 // RFC 9457
export const FORM_JSON = 3 // the same, for a client that knows no other JSON
export type AnswerForm =
  | typeof FORM_TEXT
  | typeof FORM_HTML
  | typeof FORM_PROBLEM
  | typeof FORM_JSON

export const typeOfForm = [
  'text/plain; charset=utf-8',
  'text/html; charset=utf-8',
  'application/problem+json',
  'application/json',
] as const

const ACCEPT_MAX = 512 // characters; browsers send some 140
const REMEMBERED_MAX = 256

const MEDIA_RANGE =
  /^(?:\*\/\*|[!#$%&'+\-.^_`|~0-9a-z]+\/(?:\*|[!#$%&'+\-.^_`|~0-9a-z][!#$%&'*+\-.^_`|~0-9a-z]*))$/
const named: ReadonlyMap<string, AnswerForm> = new Map([
  ['text/plain', FORM_TEXT],
  ['text/html', FORM_HTML],
  ['application/problem+json', FORM_PROBLEM],
  ['application/json', FORM_JSON],
])
const ranges: ReadonlyMap<string, readonly string[]> = new Map([
  ['text/*', ['text/plain', 'text/html']],
  ['application/*', ['application/problem+json', 'application/json']],
  ['*/*', ['text/plain', 'application/problem+json', 'application/json', 'text/html']],
])

const decided = new Map<string, AnswerForm>()

export function formWantedBy(request: Head): AnswerForm {
  const first = request.get('accept')
  if (first === null || first === '*/*') return FORM_TEXT
  const lines = request.getAll('accept')
  const accept = lines.length === 1 ? first : lines.join(',')
  if (accept.length > ACCEPT_MAX) return FORM_TEXT
  const known = decided.get(accept)
  if (known !== undefined) return known
  if (decided.size >= REMEMBERED_MAX) decided.clear()
  const form = formOf(accept)
  decided.set(ownCopy(accept), form) // a slice would keep the head of its request alive
  return form
}

function formOf(accept: string): AnswerForm {
  const weights = weightsIn(accept, MEDIA_RANGE, true)
  let form: AnswerForm = FORM_TEXT
  let best = 0
  let isNamed = false
  for (const [name, weight] of weights) {
    const meant = formNamed(name)
    const offered = meant ?? formInRange(name, weights)
    if (offered === null || weight < best || weight === 0) continue
    if (weight === best && (isNamed || meant === null)) continue
    best = weight
    form = offered
    isNamed = meant !== null
  }
  return form
}

// A format that is made of JSON ("application/vnd.api+json") comes from a program that reads JSON.
function formNamed(name: string): AnswerForm | null {
  return named.get(name) ?? (/^application\/.*\+json$/.test(name) ? FORM_PROBLEM : null)
}

function formInRange(range: string, weights: ReadonlyMap<string, number>): AnswerForm | null {
  for (const type of ranges.get(range) ?? []) {
    const isElsewhere = range === '*/*' && weights.has(type.slice(0, type.indexOf('/')) + '/*')
    if (!weights.has(type) && !isElsewhere) return named.get(type)!
  }
  return null
}
