// bench/arguments.ts: the flags of make bench and make bench-check.

import { parseArgs } from 'node:util'
import { chooseCores } from './cores.ts'
import type { Generator } from './load/contract.ts'
import { bestGenerator } from './load/load.ts'
import { defaultRivals, peers } from './peers/peers.ts'
import type { Bench } from './scenarios/contract.ts'

export interface Defaults {
  readonly pairs: number
  readonly seconds: number
  readonly warmSeconds: number
  readonly reloads: number
}

export interface Asked {
  readonly bench: Bench
  readonly only: readonly string[] // empty: all
}

const GENERATORS: readonly string[] = ['wrk', 'own', 'autocannon']

export function readArguments(words: string[], defaults: Defaults): Asked {
  const { values } = parseArgs({
    args: words,
    options: {
      only: { type: 'string', default: '' },
      peers: { type: 'string', default: defaultRivals().join(',') },
      pairs: { type: 'string', default: String(defaults.pairs) },
      seconds: { type: 'string', default: String(defaults.seconds) },
      warm: { type: 'string', default: String(defaults.warmSeconds) },
      reloads: { type: 'string', default: String(defaults.reloads) },
      generator: { type: 'string', default: bestGenerator() },
    },
  })
  const rivals = split(values.peers)
  for (const name of rivals) {
    if (peers[name]?.isAvailable() !== true) throw new Error(`${name} is not installed`)
  }
  if (!GENERATORS.includes(values.generator)) throw new Error(`no generator ${values.generator}`)
  const bench: Bench = {
    cores: chooseCores(),
    rivals,
    subjects: null,
    pairs: positive('pairs', values.pairs),
    seconds: positive('seconds', values.seconds),
    warmSeconds: positive('warm', values.warm),
    reloads: positive('reloads', values.reloads),
    generator: values.generator as Generator,
    log: (line) => process.stdout.write(`${line}\n`),
  }
  return { bench, only: split(values.only) }
}

function split(list: string): string[] {
  return list.split(',').filter((word) => word !== '')
}

function positive(flag: string, text: string): number {
  const value = Number(text)
  if (value > 0) return value
  throw new Error(`--${flag} wants a number above 0, not ${text}`)
}
