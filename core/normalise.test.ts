import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAddress, parseCidr, AddressSet } from './address.ts'
import {
  ENCODED_CHARACTER,
  NONE,
  PATH_ENCODING,
  REQUEST_TARGET,
  REWRITE_INVALID,
  UNDERSCORE_HEADER,
} from './errors.ts'
import {
  Exchange,
  FORM_ABSOLUTE,
  FORM_ASTERISK,
  METHOD_OPTIONS,
  SAW_ALIAS,
  SAW_PATH_ODD,
  SAW_SEMICOLON,
} from './exchange.ts'
import { linesOf } from './headers.ts'
import {
  ALLOW_ALL,
  ALLOW_SLASH,
  defaultPolicy,
  deniedEncoding,
  normalise,
  rewritePath,
  type EntryPointPolicy,
} from './normalise.ts'
import { MatcherBuilder } from './route/matcher-builder.ts'
import { parseRule } from './route/parse.ts'
import { exchangeOf } from './route/samples.ts'

function requestOf(target: string, headers: [string, string][] = [['Host', 'a.com']]): Exchange {
  const exchange = exchangeOf({ path: target, headers })
  exchange.host = ''
  exchange.authority = ''
  exchange.path = ''
  exchange.routingPath = ''
  const [path = '', query = ''] = target.split('?', 2)
  if (/%|\/\/|\/\.|\\/.test(path)) exchange.facts |= SAW_PATH_ODD
  if (query.includes(';')) exchange.facts |= SAW_SEMICOLON
  if (headers.some(([name]) => /[_.]/.test(name))) exchange.facts |= SAW_ALIAS
  return exchange
}

function pathsOf(target: string, policy: Partial<EntryPointPolicy> = {}): [string, string] {
  const exchange = requestOf(target)
  expect(normalise(exchange, { ...defaultPolicy, ...policy })).toBe(NONE)
  return [exchange.path, exchange.routingPath]
}

function codeOf(target: string, policy: Partial<EntryPointPolicy> = {}): number {
  return normalise(requestOf(target), { ...defaultPolicy, ...policy })
}

describe('paths', () => {
  test.each([
    ['/', '/', '/'],
    ['/a/b', '/a/b', '/a/b'],
    ['/%7euser', '/~user', '/~user'],
    ['/a%2fb', '/a%2Fb', '/a%2Fb'],
    ['/a%20b', '/a%20b', '/a b'],
    ['/%c3%a9', '/%C3%A9', '/é'],
    ['/%ff', '/%FF', '/\udcff'],
    ['/a//b', '/a/b', '/a/b'],
    ['/a/./b/', '/a/b/', '/a/b/'],
    ['/a/b/..', '/a', '/a'],
    ['/a/b/../', '/a/', '/a/'],
    ['/../../etc', '/etc', '/etc'],
    ['/..', '/', '/'],
    ['//', '/', '/'],
    ['/.hidden', '/.hidden', '/.hidden'],
    ['/...', '/...', '/...'],
    ['/a;b', '/a;b', '/a;b'],
    ['/a%2525', '/a%2525', '/a%2525'],
  ])('%s is sent as %s and routed as %s', (target, path, routed) => {
    expect(pathsOf(target)).toEqual([path, routed])
  })

  test.each(['/a/%2e%2e/b', '/a/%2E%2e/b', '/a/.%2e/b', '/a/%2e./b'])(
    'CVE-2025-47952 and CVE-2025-32431: %s is matched and sent as /b',
    (target) => {
      expect(pathsOf(target)).toEqual(['/b', '/b'])
    },
  )

  test('CVE-2025-32431: a router for /public does not serve /public/../private', () => {
    const builder = new MatcherBuilder<string>(null)
    for (const prefix of ['/public', '/private']) {
      const rule = parseRule(`PathPrefix(\`${prefix}\`)`)
      builder.set({ rule, priority: 1, rank: 0, name: prefix, value: prefix })
    }
    const matcher = builder.finish()
    for (const target of ['/public/../private', '/public/%2e%2e/private', '//private']) {
      const exchange = requestOf(target)
      expect(normalise(exchange, defaultPolicy)).toBe(NONE)
      expect(matcher.match(exchange)).toBe('/private')
      expect(exchange.path).toBe('/private')
      expect(exchange.pathChanged).toBe(true)
    }
  })

  test.each([
    '/public/..;/private',
    '/public/.;x/private',
    '/public/%2e%2e;x=1/private',
    '/a/..%3b/b',
  ])('CVE-2026-73511: %s, which a servlet container reads as climbing, is refused', (target) => {
    expect(codeOf(target)).toBe(REQUEST_TARGET)
  })

  test('without sanitizePath dots stay, and are what is matched and sent', () => {
    expect(pathsOf('/a/../%2e/b', { sanitizePath: false })).toEqual(['/a/.././b', '/a/.././b'])
  })

  test.each(['/%', '/%4', '/%zz', '/a%2'])('%s cannot be decoded and is refused', (target) => {
    expect(codeOf(target)).toBe(PATH_ENCODING)
  })

  test.each(['%2f', '%5C', '%00', '%3b', '%25', '%3F', '%23', '\\'])(
    'CVE-2025-66490: /a%s is refused unless that escape is allowed',
    (escape) => {
      expect(codeOf('/a' + escape, { allowEncoded: 0 })).toBe(ENCODED_CHARACTER)
      expect(codeOf('/a' + escape, { allowEncoded: ALLOW_ALL })).toBe(NONE)
    },
  )

  test('a router may refuse escapes that its entry point lets through', () => {
    expect(deniedEncoding('/a%2Fb', ALLOW_SLASH)).toBe(false)
    expect(deniedEncoding('/a%2Fb', ALLOW_ALL & ~ALLOW_SLASH)).toBe(true)
    expect(deniedEncoding('/a%20b', 0)).toBe(false)
  })

  test('normalising twice changes nothing more, whatever the path', () => {
    const part = fc.constantFrom('/', '.', '..', '%2e', '%2F', '%c3', 'a', ';', '//', '%25', '\\')
    fc.assert(
      fc.property(fc.array(part, { maxLength: 10 }), (parts) => {
        const first = requestOf('/' + parts.join(''))
        if (normalise(first, defaultPolicy) !== NONE) return
        expect(first.path.startsWith('/')).toBe(true)
        expect(/\/\.{1,2}(\/|$)/.test(first.path)).toBe(false)
        expect(first.path).not.toContain('//')
        expect(pathsOf(first.path)).toEqual([first.path, first.routingPath])
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('targets and hosts', () => {
  test.each([
    ['a.com', 'a.com'],
    ['A.Com:8080', 'a.com'],
    ['a.com.', 'a.com'],
    ['a.com.:80', 'a.com'],
    ['[2001:DB8::1]:443', '2001:db8::1'],
    ['[::1]', '::1'],
  ])('Host %s is the host %s, and is sent as it came', (header, host) => {
    for (let again = 0; again < 2; again++) {
      const exchange = requestOf('/', [['Host', header]])
      normalise(exchange, defaultPolicy)
      expect([exchange.host, exchange.authority]).toEqual([host, header])
    }
  })

  test('CVE-2026-49468: the authority of an absolute target overrides Host', () => {
    const exchange = requestOf('http://B.com:81?x=1')
    exchange.form = FORM_ABSOLUTE
    exchange.authority = 'B.com:81' // as the parser sets it
    expect(normalise(exchange, defaultPolicy)).toBe(NONE)
    expect([exchange.host, exchange.path, exchange.query]).toEqual(['b.com', '/', 'x=1'])
  })

  test('a request without Host has no host', () => {
    const exchange = requestOf('/', [])
    expect(normalise(exchange, defaultPolicy)).toBe(NONE)
    expect(exchange.host).toBe('')
  })

  test('OPTIONS * keeps its asterisk', () => {
    const exchange = requestOf('*')
    exchange.form = FORM_ASTERISK
    exchange.methodId = METHOD_OPTIONS
    expect(normalise(exchange, defaultPolicy)).toBe(NONE)
    expect([exchange.path, exchange.routingPath]).toEqual(['*', '*'])
  })

  test('a plain path is one slice: what is routed is what is sent, and nothing is rebuilt', () => {
    const exchange = requestOf('/a/b?c=d')
    normalise(exchange, defaultPolicy)
    expect([exchange.path, exchange.query, exchange.hasQuery]).toEqual(['/a/b', 'c=d', true])
    expect(exchange.pathChanged).toBe(false)
    const bare = requestOf('/a?')
    normalise(bare, defaultPolicy)
    expect([bare.path, bare.query, bare.hasQuery]).toEqual(['/a', '', true])
  })

  test('semicolons in a query become "&", or are encoded', () => {
    const split = requestOf('/?a=1;b=2')
    normalise(split, defaultPolicy)
    expect([split.query, split.pathChanged]).toEqual(['a=1&b=2', true])
    const encoded = requestOf('/?a=1;b=2')
    normalise(encoded, { ...defaultPolicy, encodeQuerySemicolons: true })
    expect(encoded.query).toBe('a=1%3Bb=2')
  })

  test('headers with an underscore are kept, deleted or refused; a dot is not an underscore', () => {
    const headers: [string, string][] = [
      ['Host', 'a.com'],
      ['X_A', '1'],
      ['X.B', '2'],
    ]
    const kept = requestOf('/', headers)
    expect(normalise(kept, defaultPolicy)).toBe(NONE)
    expect(linesOf(kept.request, kept.request.linesStart)).toContain('X_A: 1')
    const deleted = requestOf('/', headers)
    expect(normalise(deleted, { ...defaultPolicy, underscoreHeaders: 'delete' })).toBe(NONE)
    expect(linesOf(deleted.request, deleted.request.linesStart)).toBe('Host: a.com\r\nX.B: 2\r\n')
    const rejecting: EntryPointPolicy = { ...defaultPolicy, underscoreHeaders: 'reject' }
    expect(normalise(requestOf('/', headers), rejecting)).toBe(UNDERSCORE_HEADER)
    expect(normalise(requestOf('/', [['X.B', '2']]), rejecting)).toBe(NONE)
  })
})

describe('rewriting', () => {
  test.each([
    ['/x/y', '/x/y', '/x/y'],
    ['/a b', '/a%20b', '/a b'],
    ['/é', '/%C3%A9', '/é'],
    ['/a?b#c', '/a%3Fb%23c', '/a%3Fb%23c'],
    ['/a%2fb', '/a%2Fb', '/a%2Fb'],
    ['/a\r\nX: y', '/a%0D%0AX:%20y', '/a\r\nX: y'],
  ])('CVE-2026-75922: %j goes into the request line as %s', (path, sent, routed) => {
    const exchange = requestOf('/old')
    expect(rewritePath(exchange, path)).toBe(NONE)
    expect([exchange.path, exchange.routingPath, exchange.pathChanged]).toEqual([
      sent,
      routed,
      true,
    ])
  })

  test.each(['', 'a', '/../x', '/a/..', '/./a', '/%2e%2E/x', '/a/..;/x', '/%', '/%zz', '/\ud800'])(
    'CVE-2026-48020: a rewrite to %j is refused, and the path stays',
    (path) => {
      const exchange = requestOf('/old')
      normalise(exchange, defaultPolicy)
      expect(rewritePath(exchange, path)).toBe(REWRITE_INVALID)
      expect(exchange.path).toBe('/old')
    },
  )

  test('CVE-2026-16117: an encoded spelling of a prefix is matched, and stripped, as the prefix', () => {
    expect(pathsOf('/%61dmin/x')).toEqual(['/admin/x', '/admin/x'])
  })
})

describe('addresses', () => {
  test.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '::ffff:10.0.0.1', true],
    ['0.0.0.0/0', '1.2.3.4', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '1.2.3.4', false],
    ['::/0', '2001:db8::1', true],
    ['::ffff:10.0.0.0/104', '10.1.1.1', true],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['2001:db8::/33', '2001:db8:7fff::1', true],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['10.0.0.0/8', 'nonsense', false],
    ['10.0.0.0/8', '', false],
  ])('%s contains %s: %s', (cidr, address, expected) => {
    const set = new AddressSet([cidr])
    expect(set.contains(address)).toBe(expected)
    expect(set.contains(address)).toBe(expected)
  })

  test.each([
    '',
    '1.2.3',
    '01.2.3.4',
    '256.1.1.1',
    '1.2.3.4.5',
    ':::',
    '1::2::3',
    '12345::',
    'g::',
  ])('%j is no address', (text) => {
    expect(parseAddress(text)).toBe(null)
    expect(parseCidr(text + '/8')).toBe(null)
  })

  test.each(['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/08'])(
    '%s is no CIDR',
    (text) => {
      expect(parseCidr(text)).toBe(null)
      expect(() => new AddressSet([text])).toThrow()
    },
  )
})
