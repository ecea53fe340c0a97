import { expect, test } from 'vitest'
import fc from 'fast-check'
import { ConfigError, decodeUtf8Strict, parseLocated, type Path } from './located.ts'

function refusal(text: string, file: string): string {
  try {
    parseLocated(text, file)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'accepted'
}

function place(text: string, file: string, path: Path): string {
  const { line, column } = parseLocated(text, file).locate(path)
  return `${line}:${column}`
}

const yaml = `# a comment
entryPoints:
  web: &web
    address: ":80"
    "quoted key": 1
  other:
    <<: *web
    flow: {a: [x, "y", {b: z}]}
list:
  - one
  - two: 2
    three: |
      text: not a key
  - *web
`

test.each<[string, Path]>([
  ['2:1', ['entryPoints']],
  ['3:3', ['entryPoints', 'web']],
  ['4:5', ['entryPoints', 'web', 'address']],
  ['4:5', ['ENTRYPOINTS', 'Web', 'Address']],
  ['5:5', ['entryPoints', 'web', 'quoted key']],
  ['4:5', ['entryPoints', 'other', 'address']],
  ['8:19', ['entryPoints', 'other', 'flow', 'a', 1]],
  ['8:25', ['entryPoints', 'other', 'flow', 'a', 2, 'b']],
  ['10:5', ['list', 0]],
  ['12:5', ['list', 1, 'three']],
  ['4:5', ['list', 2, 'address']],
  ['3:3', ['entryPoints', 'web', 'missing', 'deeper']],
  ['2:1', []],
])('In YAML, %s is where the path %j stands', (wanted, path) => {
  expect(place(yaml, 'a.yml', path)).toBe(wanted)
})

const toml = `# a comment
top = 1
[entryPoints]
  [entryPoints.web]
    address = ":80" # the port
    transport.lifeCycle.graceTimeOut = 5
    http.tls.domains = [ { main = "a", sans = ["b",
      "c"] } ]
[[list]]
text = """
[not.a.table]
x = 1"""
[[list]]
  "quoted.key" = 'lit#eral'
  [list.sub]
  last = [1, 2]
[a.'b.c'.d]
`

test.each<[string, Path]>([
  ['2:1', ['top']],
  ['3:1', ['entryPoints']],
  ['4:3', ['entryPoints', 'web']],
  ['5:5', ['entryPoints', 'web', 'address']],
  ['5:5', ['entrypoints', 'WEB', 'address']],
  ['6:25', ['entryPoints', 'web', 'transport', 'lifeCycle', 'graceTimeOut']],
  ['7:28', ['entryPoints', 'web', 'http', 'tls', 'domains', 0, 'main']],
  ['8:7', ['entryPoints', 'web', 'http', 'tls', 'domains', 0, 'sans', 1]],
  ['10:1', ['list', 0, 'text']],
  ['14:3', ['list', 1, 'quoted.key']],
  ['16:3', ['list', 1, 'sub', 'last']],
  ['16:14', ['list', 1, 'sub', 'last', 1]],
  ['17:1', ['a', 'b.c', 'd']],
])('In TOML, %s is where the path %j stands', (wanted, path) => {
  expect(place(toml, 'a.toml', path)).toBe(wanted)
})

test('JSON is read with tabs, and its keys are found', () => {
  const json = '{\n\t"a": {\n\t\t"b": [1, true, null, "x\\u0041"]\n\t}\n}\n'
  expect(parseLocated(json, 'a.json').value).toEqual({ a: { b: [1, true, null, 'xA'] } })
  expect(place(json, 'a.json', ['a', 'b'])).toBe('3:3')
})

test.each([
  ['a.yml', 'a: {', '1:5: syntax error: unexpected end of the stream within a flow collection'],
  ['a.yml', 'a:\n\t- b', '2:1: syntax error: tab characters must not be used in indentation'],
  ['a.yml', 'a: 1\nb: 2\na: 3', '3:1: syntax error: duplicated mapping key'],
  ['a.yml', 'a: 1\n---\nb: 1', '1:1: syntax error: one document is expected, found several'],
  ['a.yml', 'a: *nobody', '1:5: syntax error: unidentified alias "nobody"'],
  [
    'a.yml',
    'a: !!js/function x',
    '1:4: syntax error: unknown scalar tag !<tag:yaml.org,2002:js/function>',
  ],
  ['a.yml', 'a: &x [*x]', '1:9: an alias refers to a node around it'],
  ['a.yml', 'b: 1\na:\n  __proto__: {x: 1}', '3:3: "__proto__" is not allowed as a key'],
  ['a.json', '{"a": 1,\n "__proto__": 2}', '2:2: "__proto__" is not allowed as a key'],
  ['a.json', '{"a":1,\n"a":2}', '2:2: syntax error: duplicated mapping key'],
  ['a.toml', 'a = 1\n[b]\n__proto__ = 1', '3:1: "__proto__" is not allowed as a key'],
  ['a.toml', 'a = \n', '1:5: syntax error: invalid value'],
  [
    'a.toml',
    'a = 1\na = 2',
    '2:1: syntax error: trying to redefine an already defined table or value',
  ],
])('%s with %j is refused at its line and column', (file, text, wanted) => {
  const message = refusal(text, file)
  expect(message.startsWith(`${file}:`)).toBe(true)
  expect(message.slice(file.length + 1).split(':')[0]).toBe(wanted.split(':')[0])
  expect(message).toBe(`${file}:${wanted}`)
})

test('Deep nesting is refused in every format', () => {
  expect(refusal('['.repeat(100_000), 'a.yml')).toMatch(/^a\.yml:1:\d+: .*nesting exceeded/)
  expect(refusal(`a = ${'['.repeat(100_000)}`, 'a.toml')).toMatch(/^a\.toml:1:\d+: .*nested/)
  expect(refusal(`[${'a.'.repeat(100_000)}b]`, 'a.toml')).toMatch(/nested deeper/)
  const ladder = ['x0: &x0 {a: 1}']
  for (let at = 1; at < 100; at++) ladder.push(`x${at}: &x${at} {a: *x${at - 1}}`)
  expect(refusal(ladder.join('\n'), 'a.yml')).toMatch(/nested deeper than 64/)
})

test('An alias bomb is refused before anything walks it', () => {
  const ten = (name: string) => `[${Array.from({ length: 10 }, () => name).join(',')}]`
  const lines = [`a0: &a0 ${ten('x')}`]
  for (let at = 1; at < 12; at++) lines.push(`a${at}: &a${at} ${ten(`*a${at - 1}`)}`)
  expect(refusal(lines.join('\n'), 'a.yml')).toMatch(/^a\.yml:\d+:1: has more than 4000000 nodes/)
})

test('Aliases and merge keys in honest numbers are fine', () => {
  const routers = Array.from({ length: 5000 }, (_, at) => `  r${at}: {<<: *d, rule: r}`)
  const text = `d: &d {service: s, entryPoints: [web]}\nrouters:\n${routers.join('\n')}\n`
  const value = parseLocated(text, 'a.yml').value as { routers: Record<string, unknown> }
  expect(value.routers['r4999']).toEqual({ service: 's', entryPoints: ['web'], rule: 'r' })
})

test('10,000 routers are read, and the last one is found', () => {
  const lines = ['http:', '  routers:']
  for (let at = 0; at < 10_000; at++) {
    lines.push(`    r${at}:`, `      rule: "Host(\`h${at}.example.com\`)"`, `      service: s${at}`)
  }
  const doc = parseLocated(lines.join('\n'), 'a.yml')
  expect(doc.locate(['http', 'routers', 'r9999', 'service'])).toEqual({ line: 30_002, column: 7 })
})

test('A file larger than 16 MiB is refused, as text and as bytes', () => {
  expect(refusal('#'.repeat(100 * 1024 * 1024), 'a.yml')).toBe(
    'a.yml: is larger than 16 MiB, the limit for one file',
  )
  expect(() => decodeUtf8Strict(new Uint8Array(100 * 1024 * 1024), 'a.yml')).toThrow(/16 MiB/)
})

test('Empty files and files of comments are empty maps', () => {
  for (const file of ['a.yml', 'a.toml', 'a.json']) expect(parseLocated('', file).value).toEqual({})
  expect(parseLocated('# nothing\n', 'a.yml').value).toEqual({})
  expect(parseLocated('# nothing\n', 'a.yml').locate(['x'])).toEqual({ line: 1, column: 1 })
})

test('A byte order mark is skipped, and Windows line ends count once', () => {
  expect(place('\ufeffa: 1\r\nb: 2\r\n', 'a.yml', ['b'])).toBe('2:1')
  expect(place('\ufeffa = 1\r\nb = 2\r\n', 'a.toml', ['b'])).toBe('2:1')
})

test('YAML means YAML 1.2: yes and 012 are what they look like', () => {
  expect(parseLocated('a: yes\nb: 012\nc: 0o17\nd: 2020-01-01', 'a.yml').value).toEqual({
    a: 'yes',
    b: 12,
    c: 15,
    d: '2020-01-01',
  })
})

test('TOML integers beyond 2^53 and dates are readable values', () => {
  expect(parseLocated('a = 9223372036854775806\nb = 2020-01-01', 'a.toml').value).toEqual({
    a: 2 ** 63,
    b: '2020-01-01',
  })
})

test('Bytes that are not UTF-8 are refused at their line and column', () => {
  const bytes = Buffer.from('a: 1\nb: caf\u00e9\n', 'latin1')
  expect(() => decodeUtf8Strict(bytes, 'a.yml')).toThrow('a.yml:2:7: is not valid UTF-8')
  expect(decodeUtf8Strict(Buffer.from('a: caf\u00e9'), 'a.yml')).toBe('a: caf\u00e9')
  const utf16 = Buffer.from('\ufeffa: 1', 'utf16le')
  expect(() => decodeUtf8Strict(utf16, 'a.yml')).toThrow('a.yml:1:1: is not valid UTF-8')
})

test('No text makes a parser throw anything but a ConfigError', () => {
  const pieces = fc.constantFrom(
    'a',
    ':',
    ' ',
    '\n',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '#',
    '=',
    '-',
    ',',
    '*',
    '&',
    '!',
    '|',
    '<<',
    '.',
    '\t',
    '\\',
    '1',
    '"""',
    '%',
    '?',
    '\u0000',
    '\ud800',
  )
  const texts = fc.array(pieces, { maxLength: 40 }).map((list) => list.join(''))
  fc.assert(
    fc.property(texts, fc.constantFrom('a.yml', 'a.toml', 'a.json'), (text, file) => {
      try {
        const doc = parseLocated(text, file)
        const position = doc.locate(['a', 'b', 0])
        return position.line >= 1 && position.column >= 1
      } catch (error) {
        return error instanceof ConfigError
      }
    }),
    { numRuns: 20_000 },
  )
})
