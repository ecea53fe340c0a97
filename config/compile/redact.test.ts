// What the API shows of the values that users wrote.

import { expect, test } from 'vitest'
import { redacted } from './redact.ts'

function shownIn(map: string, name: string, value = 'hush'): unknown {
  const shown = redacted({ headers: { [map]: { [name]: value } } }) as {
    headers: Record<string, Record<string, unknown>>
  }
  return shown.headers[map]![name]
}

test.each([
  'Authorization',
  'proxy-authorization',
  'Cookie',
  'Set-Cookie',
  'X-Api-Key',
  'X-APIKEY',
  'apikey',
  'X_Auth',
  'X-Auth-Token',
  'X-Access-Tokens',
  'X-AuthToken',
  'Client.Secret',
  'DB-Password',
  'X-Passwd',
  'X-Credentials',
  'xGatewaySecret',
])('the value of a header named %s is not shown', (name) => {
  expect(shownIn('customRequestHeaders', name)).toBe('xxxx')
  expect(shownIn('customResponseHeaders', name)).toBe('xxxx')
  expect(shownIn('CUSTOMREQUESTHEADERS', name)).toBe('xxxx') // keys match whatever their case
})

test.each([
  'X-Author',
  'X-Authority',
  'X-Keyboard',
  'X-Monkey',
  'X-Tokenizer',
  'X-Forwarded-Proto',
  'X-Secretary',
  'Accept',
])('the value of a header named %s is shown', (name) => {
  expect(shownIn('customRequestHeaders', name)).toBe('hush')
})

test('that a header is removed can be seen', () => {
  expect(shownIn('customRequestHeaders', 'Authorization', '')).toBe('')
})

test('headers of health checks are taken care of too', () => {
  const check = { healthCheck: { path: '/up', headers: { 'X-Token': 'hush', Accept: 'a/b' } } }
  expect(redacted({ loadBalancer: check })).toEqual({
    loadBalancer: { healthCheck: { path: '/up', headers: { 'X-Token': 'xxxx', Accept: 'a/b' } } },
  })
})

test('a middleware of kind headers keeps its other options', () => {
  const headers = { stsSeconds: 5, frameDeny: true, accessControlAllowHeaders: ['X-Token'] }
  expect(redacted({ headers })).toEqual({ headers })
})

test.each(['requestHeaderModifier', 'responseHeaderModifier'])(
  'headers that a %s sets or adds are taken care of too',
  (kind) => {
    const options = {
      set: { 'X-Auth-Token': 'hush', Accept: 'a/b' },
      Add: { 'X-Api-Secret': 'hush' },
      remove: ['X-Token'],
    }
    expect(redacted({ [kind]: options })).toEqual({
      [kind]: {
        set: { 'X-Auth-Token': 'xxxx', Accept: 'a/b' },
        Add: { 'X-Api-Secret': 'xxxx' },
        remove: ['X-Token'],
      },
    })
  },
)

test('the value of a parameter that a queryParam adds is not shown when its name says what it is', () => {
  const plain = { name: 'page', value: '1' }
  const taken = { name: 'token', value: '', fromHeader: 'X-Token' }
  const queryParam = {
    set: [{ name: 'api_key', value: 'hush' }, plain],
    append: [{ NAME: 'access_token', Value: 'hush' }, taken],
  }
  expect(redacted({ queryParam })).toEqual({
    queryParam: {
      set: [{ name: 'api_key', value: 'xxxx' }, plain],
      append: [{ NAME: 'access_token', Value: 'xxxx' }, taken],
    },
  })
})

test.each([
  ['http://user:hush@a.test:80/x', 'http://xxxx@a.test:80/x'],
  ['http://user:hu@sh@a.test', 'http://xxxx@a.test'],
  ['http://user:hu/sh@a.test', 'http://xxxx@a.test'],
  ['http://user:hu#sh@a.test', 'http://xxxx@a.test'],
  ['http://user:hu?s@h@a.test', 'http://xxxx@a.test'],
  ['http://a.test/users/@me', 'http://a.test/users/@me'],
  ['https://a.test/?by=me@b.test', 'https://a.test/?by=me@b.test'],
  ['someone@a.test', 'someone@a.test'],
])('of %s the API shows %s', (written, expected) => {
  expect(redacted({ url: written })).toEqual({ url: expected })
})
