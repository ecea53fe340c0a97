// cli/arguments.ts: a command's own options, taken out of the flags that configure the gateway.
//
//   sluice explain GET http://shop.test/ -H 'Accept: a/b' --client-ip 192.0.2.7 --configFile=sluice.yml
//
// What is not a command's own is handed to the reader of the install configuration, which knows all flags.

export interface CommandArguments {
  readonly positions: readonly string[] // words that are no flag's value
  readonly options: ReadonlyMap<string, readonly string[]> // '--json' -> ['true']
  readonly flags: readonly string[]
}

export interface OptionNames {
  readonly switches: readonly string[]
  readonly values: readonly string[]
}

// A message instead of arguments when an option lacks its value.
export function readArguments(
  argv: readonly string[],
  names: OptionNames,
): CommandArguments | string {
  const options = new Map<string, string[]>()
  const flags: string[] = []
  let at = 0
  while (at < argv.length && !argv[at]!.startsWith('-')) at++
  const positions = argv.slice(0, at)
  let mayBeValue = false // of the flag before
  for (; at < argv.length; at++) {
    const argument = argv[at]!
    const isWord = !argument.startsWith('-')
    if (isWord && !mayBeValue) {
      positions.push(argument)
      continue
    }
    mayBeValue = !isWord && !argument.includes('=') && !names.switches.includes(argument)
    const equals = argument.indexOf('=')
    const name = equals < 0 ? argument : argument.slice(0, equals)
    if (names.switches.includes(name) && equals < 0) add(options, name, 'true')
    else if (!names.values.includes(name)) flags.push(argument)
    else if (equals >= 0) add(options, name, argument.slice(equals + 1))
    else {
      const value = argv[++at]
      if (value === undefined) return `${name} needs a value`
      add(options, name, value)
      mayBeValue = false
    }
  }
  return { positions, options, flags }
}

function add(options: Map<string, string[]>, name: string, value: string): void {
  const before = options.get(name)
  if (before === undefined) options.set(name, [value])
  else before.push(value)
}

export function lastOf(given: CommandArguments, name: string): string | null {
  return given.options.get(name)?.at(-1) ?? null
}

export function isSet(given: CommandArguments, name: string): boolean {
  return given.options.has(name)
}
