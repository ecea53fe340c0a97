// config/compile/middleware-checks-gateway.ts: the closer look at filters of the Gateway API. Hot: no.

import { isFraming } from '../../core/middleware/header-line.ts'
import { failing, headerMap, quoted, wantName, type Fault } from './middleware-words.ts'

interface ModifierOptions {
  readonly set: Readonly<Record<string, string>>
  readonly add: Readonly<Record<string, string>>
  readonly remove: readonly string[]
}

const wantOpen = (name: string): string =>
  isFraming(name) || name.toLowerCase() === 'host'
    ? `${quoted(name)} belongs to the gateway itself`
    : wantName(name)

export function checkModifier({ set, add, remove }: ModifierOptions): Fault[] {
  return [
    ...headerMap('set', set),
    ...failing('set', Object.keys(set), wantOpen).map((fault) => ({ ...fault, key: ['set'] })),
    ...headerMap('add', add),
    ...failing('add', Object.keys(add), wantOpen).map((fault) => ({ ...fault, key: ['add'] })),
    ...failing('remove', remove, wantOpen),
  ]
}
