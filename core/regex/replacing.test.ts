// Replacing finds what Go finds, and whatever the expression and the text, what it takes grows with the text at the most.

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RegexError, type SafeRegex, compileRegex } from '../regex.ts'
import { Replacing, Work } from './replacing.ts'
import { expandTemplate, parseTemplate } from './template.ts'
import { UrlReplacing } from './url-replacing.ts'

const PLENTY = 1e9

function replaced(source: string, text: string, replacement: string): string | null {
  return new Replacing(source, replacement).replace(text, 1e7, new Work(PLENTY))
}

// The plain truth: search, and search again behind what was found.
function replacedPlainly(regex: SafeRegex, text: string, replacement: string): string {
  const template = parseTemplate(replacement, regex.groupNames)
  let out = ''
  let copied = 0
  for (let at = 0; at <= text.length;) {
    const found = regex.find(text, at)
    if (found === null) break
    if (found.end > copied || found.start === 0) {
      out += text.slice(copied, found.start) + expandTemplate(template, found.groups)
      copied = found.end
    }
    at = found.end > at ? found.end : at + (text.codePointAt(at)! > 0xffff ? 2 : 1)
  }
  return out + text.slice(copied)
}

describe('as Go replaces', () => {
  test.each([
    ['a*', 'baaac', 'x', 'xbxcx'],
    ['', 'ab\u{1f600}', '-', '-a-b-\u{1f600}-'],
    ['$', 'ab', '!', 'ab!'],
    ['^', 'ab', '', 'ab'],
    ['(?m)^', 'a\nb\n', '> ', '> a\n> b\n> '],
    ['(?m)\\s*$', 'a  \nb', ';', 'a;\nb;'],
    ['\\bis\\b', 'this is', '[$0]', 'this [is]'],
    ['(?i)straße', 'STRAßE', 'x', 'x'],
    ['\\p{Greek}+', 'a αβγ b', '<$0>', 'a <αβγ> b'],
    ['(a|ab)(c|bcd)', 'abcd', '[$1,$2]', '[a,bcd]'],
    ['(?:(a)|b)+', 'aab', '[$1]', '[a]'],
    ['(a)|(b)', 'ba', '[$1,$2]', '[,b][a,]'],
    ['(?P<host>[a-z]+)\\.test', 'see shop.test', '${host}.example', 'see shop.example'],
    ['<(\\w+)>', '<p>', '$$1 $1 ${1}x $1x $9', '$1 p px  '],
    ['.+?b', 'aabab', 'x', 'xx'],
    ['a.*b|a', 'aaaca', 'x', 'xxxcx'],
    ['.', '\u{1f600}é', '$0$0', '\u{1f600}\u{1f600}éé'],
  ])('%s in %j becomes, by %s, the text %s', (source, text, replacement, expected) => {
    expect(replaced(source, text, replacement)).toBe(expected)
  })

  const atoms =
    'a b / . [ab] [^/] \\d ^ $ \\b \\B é (?m:^) (?m:$) \\p{L} (a|b) (?P<n>a*) (|a) (a*) (?s:.) ' +
    '\u{1f600} (?i:é) (?i:k) \\z \\A (?:a|ab) (?:ab|a)'
  const atom = fc.constantFrom(...atoms.split(' '))
  const repeats = fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,3}', '*?', '+?', '??')
  const piece = fc.tuple(atom, repeats).map((parts) => parts.join(''))
  const sequence = fc.array(piece, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''))
  const expression = fc.oneof(
    sequence,
    fc.tuple(sequence, sequence).map(([a, b]) => `(${a}|${b})`),
    fc.tuple(sequence, sequence, sequence).map(([a, b, c]) => `${a}(${b})*${c}`),
    fc.tuple(sequence, sequence).map(([a, b]) => `(?:(${a})|${b})+`),
    sequence.map((a) => `(?i)${a}`),
  )
  const characters = ['a', 'b', 'A', '/', '.', '1', '\n', 'é', 'É', 'k', '\u212a', '\u{1f600}']
  const text = fc
    .array(fc.constantFrom(...characters), { maxLength: 14 })
    .map((parts) => parts.join(''))

  test('it, the engines of regex.ts and what replaces in URLs make the same of 20,000 random pairs', () => {
    const seed = Date.now() & 0x7fffffff
    console.info(`seed ${seed}`)
    let compared = 0
    const template = '<$0|$1|$2|$3|$n>'
    fc.assert(
      fc.property(expression, text, (source, input) => {
        let other
        try {
          other = compileRegex(source)
        } catch (error) {
          expect(error).toBeInstanceOf(RegexError)
          return
        }
        compared++
        const expected = replacedPlainly(other, input, template)
        expect(replaced(source, input, template)).toBe(expected)
        if (other.engine === 'v8')
          // else it is the same again
          expect(new UrlReplacing(source, template).replace(input)).toBe(expected)
      }),
      { seed, numRuns: 20_000 },
    )
    expect(compared).toBeGreaterThan(15_000)
  })
})

describe('what it takes', () => {
  // What is counted is what it takes: places looked at, characters read, matches copied.
  function workOf(source: string, text: string, replacement = 'x'): number {
    const work = new Work(PLENTY)
    new Replacing(source, replacement).replace(text, 1e8, work)
    expect(work.isSpent).toBe(false)
    return PLENTY - work.left
  }

  const evil: [string, string, string][] = [
    ['a*b', 'a', 'x'],
    ['(a+)+$', 'a', 'x'],
    ['((a*)*)*b', 'a', '$1'],
    ['(?:a{16}){16}b', 'a', 'x'],
    ['[0-9]+x|1y', '1', 'x'],
    ['<a [^>]*>|x', '<a ', 'x'],
    ['(x+x+)+y', 'x', '$1'],
    ['(\\w+)', 'word ', '<$1>'],
    ['x*', 'a', '-'],
    ['(?s)(.*)', 'a\n', '$1'],
    ['\\b', 'ab ', '|'],
    ['(?:a|b)*a(?:a|b){8}c', 'abbaabab', 'x'],
  ]
  test.each(evil)('%s on many of %j takes twice as much for twice as many', (source, unit, by) => {
    const once = workOf(source, unit.repeat(20_000), by)
    const twice = workOf(source, unit.repeat(40_000), by)
    expect(twice).toBeLessThan(2.2 * once)
  })

  // No engine is known that is linear there.
  test('a.*b|a would take its square, and ends when the work is spent', () => {
    const regex = new Replacing('a.*b|a', 'x')
    for (const count of [20_000, 40_000]) {
      const work = new Work(50 * count)
      expect(regex.replace('a'.repeat(count), 1e8, work)).toBe(null)
      expect(work.left).toBeGreaterThan(-2 * count) // the last look at the text is counted when it is over
    }
    expect(regex.replace('aab', 100, new Work(PLENTY))).toBe('x')
  })

  test('states that never come again are made until the work is spent, and no longer', () => {
    let text = ''
    for (let i = 1; text.length < 60_000; i = (i * 48_271) % 2_147_483_647) text += 'ab'[i & 1]!
    const work = new Work(1_000_000)
    expect(new Replacing('a[ab]{400}c', 'x').replace(text, 1e8, work)).toBe(null)
    expect(work.left).toBeGreaterThan(-100_000)
  })

  test('more states than are kept at a time give what few give', () => {
    let text = ''
    for (let i = 1; text.length < 30_000; i = (i * 48_271) % 2_147_483_647) text += 'ab'[i & 1]!
    const expected = replacedPlainly(compileRegex('a[ab]{12}b'), text, 'x')
    expect(replaced('a[ab]{12}b', text, 'x')).toBe(expected)
  })

  test('every character there is has its class, and that is paid for as well', () => {
    let text = ''
    for (let point = 32; point < 0x1_8000; point++)
      if (point < 0xd800 || point > 0xdfff) text += String.fromCodePoint(point)
    const regex = new Replacing(different(900), '')
    expect(regex.replace(text, 1e8, new Work(PLENTY)) === text).toBe(true)
    const spent = new Work(5_000_000)
    expect(new Replacing(different(900), '').replace(text, 1e8, spent) === null).toBe(true)
  })
})

// So many alternatives that none shares a set of characters with another.
function different(count: number): string {
  const characters = Array.from({ length: count }, (_, i) => String.fromCodePoint(0x4e00 + 2 * i))
  return characters.map((character) => `${character}!`).join('|')
}

test('what would become too long is not made', () => {
  const bomb = new Replacing('(?s)(.*)', '$1'.repeat(1_000))
  expect(bomb.replace('x'.repeat(1_000_000), 4_000_000, new Work(PLENTY))).toBe(null)
  const many = new Replacing('a', 'b'.repeat(10))
  expect(many.replace('a'.repeat(10), 99, new Work(PLENTY))).toBe(null)
  expect(many.replace('a'.repeat(10), 100, new Work(PLENTY))).toBe('b'.repeat(100))
})

test.each([
  ['(a', /not closed/],
  ['a**', /two repetitions/],
  ['(?=a)', /looking ahead/],
  ['[ab]{1000}'.repeat(25), /more than 20000 steps/],
  [different(1_100), /more than 1024 sets/],
])('the expression %.40s is refused', (source, why) => {
  expect(() => new Replacing(source, '')).toThrow(RegexError)
  expect(() => new Replacing(source, '')).toThrow(why)
})
