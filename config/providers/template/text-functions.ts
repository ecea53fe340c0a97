// config/providers/template/text-functions.ts: text, printf and regular expressions.
//
// Whatever can make a long text out of short ones works out the length first and asks the Budget. Regular
// expressions run on RE2, in linear time, as in Go. Hot: no.

import { RE2JS } from 're2js'
import type { FunctionTable } from './functions.ts'
import { formatText } from './printf.ts'
import {
  asList,
  asText,
  bounded,
  textOf,
  TextMap,
  toInteger,
  type Budget,
  type Value,
} from './values.ts'

type TextFunction = (...texts: string[]) => Value

// Functions of plain texts: a number or a boolean is printed first, as sprig's strval does.
function texts(count: number, run: TextFunction): FunctionTable[string] {
  return {
    min: count,
    max: count,
    run: (args, budget) => {
      const strings = args.map((arg) => bounded(textOf(arg, budget), budget))
      const result = run(...strings)
      return typeof result === 'string' ? bounded(result, budget) : result
    },
  }
}

function pieces(text: string, separator: string, budget: Budget): string[] {
  budget.units(text.length, 16)
  return separator === '' ? [...text] : text.split(separator)
}

function splitMap(list: readonly string[]): Value {
  return new TextMap(list.map((part, at) => [`_${at}`, part]))
}

function replaced(args: readonly Value[], budget: Budget): string {
  const [from, to, text] = args.map((arg) => textOf(arg, budget)) as [string, string, string]
  const parts = from === '' ? text.length + 1 : pieces(text, from, budget).length
  budget.units(text.length + parts * to.length)
  return text.replaceAll(from, () => to)
}

function joined(args: readonly Value[], budget: Budget): string {
  const separator = textOf(args[0]!, budget)
  const list = args[1]!
  const strings = (Array.isArray(list) ? list : [list]).map((part) => textOf(part, budget))
  const length = strings.reduce((sum, part) => sum + part.length, 0)
  budget.units(length + strings.length * separator.length)
  return strings.join(separator)
}

function indented(count: Value, text: Value, budget: Budget): string {
  const spaces = toInteger(count, budget)
  const lines = textOf(text, budget).split('\n')
  if (spaces < 0) budget.fail('a negative indent')
  budget.units(textOf(text, budget).length + lines.length * spaces)
  return lines.map((line) => ' '.repeat(spaces) + line).join('\n')
}

function pattern(source: Value, text: Value, budget: Budget): [RE2JS, string] {
  const subject = textOf(text, budget)
  const expression = asText(source, budget)
  budget.units(subject.length + expression.length, 4)
  if (expression.length > 1000) budget.fail('a regular expression is longer than 1000')
  try {
    return [RE2JS.compile(expression), subject]
  } catch (error) {
    return budget.fail(`the regular expression is not valid: ${(error as Error).message}`)
  }
}

function regexReplaced(args: readonly Value[], budget: Budget, literal: boolean): string {
  const [expression, subject] = pattern(args[0]!, args[1]!, budget)
  const to = textOf(args[2]!, budget)
  const matcher = expression.matcher(subject)
  let text = ''
  let at = 0
  while (matcher.find()) {
    text += subject.slice(at, matcher.start())
    text += literal ? to : expanded(to, matcher)
    at = matcher.end()
    budget.units(text.length, Infinity)
    budget.step()
  }
  return bounded(text + subject.slice(at), budget)
}

type Matcher = ReturnType<RE2JS['matcher']>

// As Go expands: "$1", "${1}", "${name}", "$$"; the longest name is taken, so "$1x" is the group "1x".
function expanded(to: string, matcher: Matcher): string {
  return to.replace(
    /\$(?:\$|\{(\w+)\}|(\w+))/g,
    (_, braced: string | undefined, bare: string | undefined) => {
      const name = braced ?? bare
      return name === undefined ? '$' : groupOf(matcher, name)
    },
  )
}

// A group that does not exist, or took no part in the match, is empty.
function groupOf(matcher: Matcher, name: string): string {
  if (!/^\d+$/.test(name)) {
    return Object.hasOwn(matcher.getNamedGroups(), name) ? (matcher.group(name) ?? '') : ''
  }
  return Number(name) <= matcher.groupCount() ? (matcher.group(Number(name)) ?? '') : ''
}

function title(text: string): string {
  return text.replace(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (_, before: string, first: string) => {
    return before + first.toUpperCase()
  })
}

function trimSet(text: string, set: string): string {
  const characters = [...text]
  const cut = new Set(set)
  let start = 0
  let end = characters.length
  while (start < end && cut.has(characters[start]!)) start++
  while (end > start && cut.has(characters[end - 1]!)) end--
  return characters.slice(start, end).join('')
}

const quoted = (text: string): string => JSON.stringify(text)

export const textFunctions: FunctionTable = {
  upper: texts(1, (text) => text!.toUpperCase()),
  lower: texts(1, (text) => text!.toLowerCase()),
  title: texts(1, (text) => title(text!)),
  trim: texts(1, (text) => text!.trim()),
  trimAll: texts(2, (set, text) => trimSet(text!, set!)),
  trimPrefix: texts(2, (cut, text) => (text!.startsWith(cut!) ? text!.slice(cut!.length) : text!)),
  trimSuffix: texts(2, (cut, text) =>
    cut !== '' && text!.endsWith(cut!) ? text!.slice(0, -cut!.length) : text!,
  ),
  contains: texts(2, (part, text) => text!.includes(part!)),
  hasPrefix: texts(2, (part, text) => text!.startsWith(part!)),
  hasSuffix: texts(2, (part, text) => text!.endsWith(part!)),
  b64enc: texts(1, (text) => Buffer.from(text!).toString('base64')),
  b64dec: texts(1, (text) => Buffer.from(text!, 'base64').toString()),
  urlquery: texts(1, (text) => encodeURIComponent(text!).replaceAll('%20', '+')),
  toString: texts(1, (text) => text!),
  nospace: texts(1, (text) => text!.replace(/\s+/g, '')),
  quote: { min: 1, max: Infinity, run: (args, budget) => eachText(args, budget, quoted) },
  squote: { min: 1, max: Infinity, run: (args, budget) => eachText(args, budget, (t) => `'${t}'`) },
  cat: { min: 0, max: Infinity, run: (args, budget) => eachText(args, budget, (text) => text) },
  print: { min: 0, max: Infinity, run: printed },
  println: { min: 0, max: Infinity, run: (args, b) => `${eachText(args, b, (text) => text)}\n` },
  printf: {
    min: 1,
    max: Infinity,
    run: ([format, ...args], budget) => formatText(asText(format!, budget), args, budget),
  },
  repeat: {
    min: 2,
    max: 2,
    run: ([count, text], budget) => {
      const times = Math.max(0, toInteger(count!, budget))
      const once = textOf(text!, budget)
      budget.units(once.length * times)
      return once.repeat(times)
    },
  },
  replace: { min: 3, max: 3, run: replaced },
  split: {
    min: 2,
    max: 2,
    run: ([by, text], budget) =>
      splitMap(pieces(textOf(text!, budget), textOf(by!, budget), budget)),
  },
  splitn: {
    min: 3,
    max: 3,
    run: ([by, count, text], budget) => {
      const list = pieces(textOf(text!, budget), textOf(by!, budget), budget)
      const most = Math.max(1, toInteger(count!, budget))
      const tail = list.slice(most - 1).join(textOf(by!, budget))
      return splitMap(list.length > most ? [...list.slice(0, most - 1), tail] : list)
    },
  },
  splitList: {
    min: 2,
    max: 2,
    run: ([by, text], budget) => pieces(textOf(text!, budget), textOf(by!, budget), budget),
  },
  join: { min: 2, max: 2, run: joined },
  toStrings: {
    min: 1,
    max: 1,
    run: ([list], budget) => asList(list!, budget).map((part) => textOf(part, budget)),
  },
  indent: { min: 2, max: 2, run: ([count, text], budget) => indented(count!, text!, budget) },
  nindent: {
    min: 2,
    max: 2,
    run: ([count, text], budget) => `\n${indented(count!, text!, budget)}`,
  },
  trunc: {
    min: 2,
    max: 2,
    run: ([count, text], budget) => {
      const length = toInteger(count!, budget)
      const whole = textOf(text!, budget)
      return length < 0 ? whole.slice(length) : whole.slice(0, length)
    },
  },
  regexMatch: {
    min: 2,
    max: 2,
    run: ([source, text], budget) => {
      const [expression, subject] = pattern(source!, text!, budget)
      return expression.matcher(subject).find()
    },
  },
  regexFind: {
    min: 2,
    max: 2,
    run: ([source, text], budget) => {
      const [expression, subject] = pattern(source!, text!, budget)
      const matcher = expression.matcher(subject)
      return matcher.find() ? (matcher.group() ?? '') : ''
    },
  },
  regexReplaceAll: { min: 3, max: 3, run: (args, budget) => regexReplaced(args, budget, false) },
  regexReplaceAllLiteral: {
    min: 3,
    max: 3,
    run: (args, budget) => regexReplaced(args, budget, true),
  },
}

function eachText(args: readonly Value[], budget: Budget, form: (text: string) => string): string {
  const parts = args.filter((arg) => arg !== null).map((arg) => form(textOf(arg, budget)))
  return bounded(parts.join(' '), budget)
}

// Go puts a space between two operands when neither is text.
function printed(args: readonly Value[], budget: Budget): string {
  let text = ''
  for (const [at, arg] of args.entries()) {
    const both = at > 0 && typeof arg !== 'string' && typeof args[at - 1] !== 'string'
    text += (both ? ' ' : '') + textOf(arg, budget)
    budget.units(text.length)
  }
  return text
}
