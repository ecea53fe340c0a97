// What messages about a forwardAuth say of its addresses.

import { expect, test } from 'vitest'
import { checkMiddleware } from './middleware-checks.ts'

function messagesOf(given: Record<string, string>): string[] {
  const lists = ['authResponseHeaders', 'authRequestHeaders', 'addAuthCookiesToResponse']
  const plain = { authResponseHeadersRegex: '', authSigninURL: '', headerField: '', cache: null }
  const options = { address: 'http://a.test', ...plain, timeout: 1000, ...given }
  const empty = Object.fromEntries(lists.map((key) => [key, []]))
  return checkMiddleware('forwardAuth', { ...empty, ...options }).map(({ message }) => message)
}

test.each(['http://user:hush/@a.test', 'http://user:hush#@a.test', 'http://user:hush@a.test'])(
  'a password never appears in a message: %s',
  (address) => {
    const messages = messagesOf({ address, authSigninURL: address.replace('http:', '//') })
    expect(messages).toHaveLength(2)
    expect(messages.join()).not.toContain('hush')
  },
)

test('an address that has no password in it is named', () => {
  expect(messagesOf({ address: 'ftp://a.test' })).toEqual([
    'address: "ftp://a.test" begins neither with http:// nor with https://',
  ])
  expect(messagesOf({})).toEqual([])
})
