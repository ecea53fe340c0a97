// config/providers/template/printf.ts: the verbs of Go's printf that make sense in a configuration:
// %s %v %d %q %t %x %X %f %g %c %%, with flags "-", "0", "+", width and precision. Hot: no.

import { bounded, textOf, toInteger, typeName, type Budget, type Value } from './values.ts'

const widthMax = 1000

export function formatText(format: string, args: readonly Value[], budget: Budget): string {
  let used = 0
  const text = format.replace(
    /%([-+0 #]*)(\d{0,6})(?:\.(\d{0,6}))?(.?)/gsu,
    (_, flags: string, width: string, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%'
      if (used >= args.length) return budget.fail(`printf: nothing is left for %${verb}`)
      const body = formatOne(verb, args[used++]!, precision, flags, budget)
      return padded(body, Number(width), flags, budget)
    },
  )
  if (used < args.length) budget.fail(`printf: ${args.length - used} arguments are left over`)
  return bounded(text, budget)
}

function padded(body: string, width: number, flags: string, budget: Budget): string {
  if (width > widthMax) budget.fail(`printf: a width above ${widthMax}`)
  if (flags.includes('-')) return body.padEnd(width)
  if (!flags.includes('0')) return body.padStart(width)
  const sign = /^[+-]/.test(body) ? body[0]! : ''
  return sign + body.slice(sign.length).padStart(width - sign.length, '0')
}

function formatOne(
  verb: string,
  value: Value,
  precision: string | undefined,
  flags: string,
  budget: Budget,
): string {
  switch (verb) {
    case 'v':
      return textOf(value, budget)
    case 's':
      return textOf(value, budget).slice(0, precision === undefined ? undefined : Number(precision))
    case 'q':
      return JSON.stringify(textOf(value, budget))
    case 't':
      return textOf(value, budget)
    case 'c':
      return String.fromCodePoint(Math.min(Math.max(0, toInteger(value, budget)), 0x10ffff))
    case 'x':
    case 'X': {
      const hex =
        typeof value === 'string'
          ? Buffer.from(value).toString('hex')
          : toInteger(value, budget).toString(16)
      return verb === 'X' ? hex.toUpperCase() : hex
    }
    case 'd':
    case 'f':
    case 'g':
      return formatNumber(verb, value, precision, flags, budget)
    default:
      return budget.fail(`printf: %${verb} is not known`)
  }
}

function formatNumber(
  verb: string,
  value: Value,
  precision: string | undefined,
  flags: string,
  budget: Budget,
): string {
  if (typeof value !== 'number') {
    return budget.fail(`printf: %${verb} needs a number, got ${typeName(value)}`)
  }
  if (verb === 'd' && !Number.isInteger(value)) budget.fail('printf: %d needs a whole number')
  const digits = Math.min(100, Number(precision ?? 6))
  const text = verb === 'f' ? value.toFixed(digits) : String(value)
  return flags.includes('+') && value >= 0 ? `+${text}` : text
}
