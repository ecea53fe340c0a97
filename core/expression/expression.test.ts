// Conditions of retryExpression and circuitBreaker: what they mean, and what is said about those that are none.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExpressionError, type FunctionTable, compileExpression } from './expression.ts'

interface Facts {
  readonly attempts: number
  readonly status: number
  readonly broken: boolean
  readonly method: string
}

const functions: FunctionTable<Facts> = {
  Attempts: { type: 'number', parameters: [], read: ({ attempts }) => attempts },
  ResponseCode: { type: 'number', parameters: [], read: ({ status }) => status },
  IsNetworkError: { type: 'condition', parameters: [], read: ({ broken }) => broken },
  RequestMethod: { type: 'text', parameters: [], read: ({ method }) => method },
  Share: {
    type: 'number',
    parameters: ['from', 'to'],
    check: ([from, to]) => (from! <= to! ? '' : 'from is larger than to'),
    read: ({ status }, [from, to]) => (status >= from! && status < to! ? 1 : 0),
  },
}

const facts: Facts = { attempts: 2, status: 503, broken: false, method: 'GET' }
const test = (source: string, over: Partial<Facts> = {}) =>
  compileExpression(source, functions).test({ ...facts, ...over })

describe('an expression', () => {
  it.each<[string, boolean]>([
    ['Attempts() < 3', true],
    ['Attempts() < 2', false],
    ['Attempts() <= 2', true],
    ['Attempts() > 1', true],
    ['Attempts() >= 2.5', false],
    ['ResponseCode() == 503', true],
    ['ResponseCode() != 503', false],
    ['IsNetworkError()', false],
    ['!IsNetworkError()', true],
    ['!!IsNetworkError()', false],
    ['IsNetworkError() == (Attempts() > 5)', true],
    ['RequestMethod() == "GET"', true],
    ['RequestMethod() == `PO\\ST`', false],
    ['"a\\"b" != "a"', true],
    ['Share(500, 600) > 0.25 && Attempts() < 3', true],
    ['Share( 500 ,600.0 )>0&&Attempts()<3', true],
    ['3 > Attempts()', true],
    ['Attempts() < 3 && (IsNetworkError() || ResponseCode() == 503)', true],
    ['\n Attempts() < 3 &&\t ResponseCode() == 503 ', true],
  ])('%s is %s', (source, expected) => expect(test(source)).toBe(expected))

  it('binds "&&" more tightly than "||"', () => {
    const yes = '1 == 1'
    const no = '1 == 2'
    expect(test(`${yes} || ${no} && ${no}`)).toBe(true)
    expect(test(`(${yes} || ${no}) && ${no}`)).toBe(false)
    expect(test(`${no} && ${no} || ${yes}`)).toBe(true)
  })

  it('tells what it asks for', () => {
    const { calls, source } = compileExpression('Share(1, 2) > 0 || Attempts() > 1', functions)
    expect(calls).toEqual([
      { name: 'Share', values: [1, 2] },
      { name: 'Attempts', values: [] },
    ])
    expect(source).toBe('Share(1, 2) > 0 || Attempts() > 1')
  })
})

describe('what is no expression', () => {
  it.each<[string, RegExp]>([
    ['', /^the expression is empty \(at character 1\)$/],
    ['Attempts()', /a condition is wanted and this is a number \(at character 1\)/],
    ['IsNetworkError() && Attempts()', /this is a number \(at character 21\)/],
    ['Attempts() < 3 &&', /the end where a function, a number or a text .*\(at character 18\)/],
    ['Attempts() < "3"', /a number can't be compared with a text \(at character 12\)/],
    ['RequestMethod() < "GET"', /"<" compares numbers only/],
    ['Attempts < 3', /"<" where "\(" after Attempts is expected/],
    ['Tries() < 3', /there is no function Tries; there are Attempts, ResponseCode/],
    ['toString() < 3', /there is no function toString/],
    ['Share(500) > 0', /1 values are given, Share\(from, to\) is wanted/],
    ['Share(600, 500) > 0', /Share: from is larger than to/],
    ['Share(500, Attempts()) > 0', /"Attempts" where a number is expected/],
    ['Share(500 600) > 0', /"600" where "," or "\)" is expected/],
    ['(Attempts() < 3', /the end where "\)" is expected/],
    ['Attempts() < 3)', /"\)" where "&&", "\|\|" or the end is expected/],
    ['1 < 2 < 3', /"<" where "&&", "\|\|" or the end is expected/],
    ['Attempts() = 3', /"=" has no meaning here/],
    ['Attempts() < 0x10', /this is not a decimal number/],
    ['Attempts() < 1.2.3', /this is not a decimal number/],
    ['RequestMethod() == "GET', /a text is not closed/],
    ['Attempts() < 3 & IsNetworkError()', /"&" has no meaning here \(at character 16\)/],
  ])('%j is refused with its place', (source, message) => {
    expect(() => compileExpression(source, functions)).toThrow(message)
  })

  it('is bounded in length, depth and terms', () => {
    const deep = (levels: number) => `${'('.repeat(levels)}1 == 1${')'.repeat(levels)}`
    const many = (terms: number) => Array.from({ length: terms / 2 }, () => '1==1').join('||')
    expect(test(deep(31))).toBe(true)
    expect(() => test(deep(32))).toThrow(/deeper than 32 levels/)
    expect(() => test(`${'!'.repeat(1000)}IsNetworkError()`)).toThrow(/deeper than 32 levels/)
    expect(test(many(256))).toBe(true)
    expect(() => test(many(258))).toThrow(/more than 256 terms/)
    expect(() => test(`1 == 1${' '.repeat(4096)}`)).toThrow(/longer than 4096 characters/)
  })

  it('never throws anything but an ExpressionError, whatever is given', () => {
    const pieces = [
      'Attempts',
      'Share',
      '(',
      ')',
      ',',
      '&&',
      '||',
      '!',
      '<',
      '==',
      '1',
      '2.5',
      '"a"',
      ' ',
      '\\',
      '`',
    ]
    const sources = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.constantFrom(...pieces)).map((list) => list.join('')),
    )
    fc.assert(
      fc.property(sources, (source) => {
        try {
          expect(typeof test(source)).toBe('boolean')
        } catch (error) {
          expect(error).toBeInstanceOf(ExpressionError)
          expect((error as ExpressionError).offset).toBeLessThanOrEqual(source.length)
        }
      }),
    )
  })
})

it('means what a plain evaluation of the same tree means', () => {
  type Tree = { readonly text: string; readonly value: boolean }
  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6 },
      fc.tuple(fc.nat(3), fc.nat(3)).map(([a, b]) => ({ text: `${a} < ${b}`, value: a < b })),
      tie('tree').map(({ text, value }) => ({ text: `!(${text})`, value: !value })),
      fc
        .tuple(tie('tree'), tie('tree'))
        .map(([a, b]) => ({ text: `(${a.text}) && (${b.text})`, value: a.value && b.value })),
      fc
        .tuple(tie('tree'), tie('tree'))
        .map(([a, b]) => ({ text: `(${a.text}) || (${b.text})`, value: a.value || b.value })),
    ),
  }))
  fc.assert(
    fc.property(tree, ({ text, value }) => {
      expect(test(text)).toBe(value)
    }),
  )
})
