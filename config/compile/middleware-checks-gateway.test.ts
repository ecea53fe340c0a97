// What is refused of requestRedirect and URLRewrite, and in which words.
import { expect, test } from 'vitest'
import { middlewareSchema } from '../dynamic/middlewares.ts'
import { checkMiddleware } from './middleware-checks.ts'

function faultsOf(kind: 'requestRedirect' | 'URLRewrite', written: object): string[] {
  const config = middlewareSchema.parse({ [kind]: written })
  return checkMiddleware(kind, config[kind]).map(({ message }) => message)
}

test.each([
  [{ scheme: 'https' }],
  [{ hostname: '192.0.2.1', port: '8443', statusCode: 308 }],
  [{ hostname: '[2001:db8::1]' }],
  [{ pathPrefix: '/a', path: '' }],
  [{ path: '/new/é' }],
])('requestRedirect takes %j', (written) => {
  expect(faultsOf('requestRedirect', written)).toEqual([])
})

test.each([
  [{}, /^would send clients to the URL that they ask for/],
  [{ statusCode: 301 }, /^would send clients to the URL/],
  [{ scheme: 'ftp' }, /^scheme: "ftp" is neither http nor https$/],
  [{ hostname: 'a b' }, /^hostname: "a b" is not a host/],
  [{ hostname: '*.example' }, /^hostname: /],
  [{ hostname: 'a.example:80' }, /^hostname: "a.example:80" holds a port/],
  [{ port: '0' }, /^port: "0" is none$/],
  [{ port: '65536' }, /^port: /],
  [{ port: 'http' }, /^port: /],
  [{ path: '' }, /^path: "" must begin with "\/"$/],
  [{ path: 'new' }, /^path: "new" must begin/],
  [{ path: '/a/../b' }, /^path: "\/a\/..\/b" may not be sent as a path$/],
  [{ path: '/50%' }, /^path: "\/50%" may not be sent/],
  [{ path: '/a', pathPrefix: 'a' }, /^pathPrefix: "a" must begin/],
  [{ hostname: 'a.example', pathPrefix: '/a' }, /^pathPrefix: path, which replaces it, is missing/],
  [{ scheme: 'https', statusCode: 304 }, /^statusCode: 304 is none of 301, 302, 303, 307, 308$/],
  [{ scheme: 'https', statusCode: 0 }, /^statusCode: 0 is none of/],
])('requestRedirect refuses %j', (written, sentence) => {
  const faults = faultsOf('requestRedirect', written)
  expect(faults.length).toBe(1)
  expect(faults[0]).toMatch(sentence)
})

test.each([
  [{}, []],
  [{ hostname: 'inner.example:8080', pathPrefix: '/a/', path: '/' }, []],
  [{ hostname: 'inner/x' }, [/^hostname: "inner\/x" is not a host/]],
  [{ pathPrefix: '/a' }, [/^pathPrefix: path, which replaces it, is missing/]],
  [{ path: '' }, [/^path: "" must begin/]],
])('URLRewrite of %j has the faults %j', (written, sentences) => {
  const faults = faultsOf('URLRewrite', written)
  expect(faults.length).toBe(sentences.length)
  sentences.forEach((sentence, i) => expect(faults[i]).toMatch(sentence))
})
