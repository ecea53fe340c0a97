// core/access-log/settings.ts: the settings of the access log, compiled to what a line needs. Hot: no.

import { accessLogFields, type FieldName } from './fields.ts'

export type Mode = 'keep' | 'drop' | 'redact'

// As in workers/messages.ts, which core does not import.
export interface LineChoices {
  readonly format: 'common' | 'genericCLF' | 'json'
  readonly statusCodes: readonly (readonly [number, number])[]
  readonly retryAttempts: boolean
  readonly minDurationMs: number
  readonly defaultMode: 'keep' | 'drop'
  readonly names: Readonly<Record<string, string>>
  readonly headersDefaultMode: Mode
  readonly headerNames: Readonly<Record<string, string>>
  readonly queryDefaultMode: Mode
}

export interface LineSettings {
  readonly format: 'common' | 'genericCLF' | 'json'
  readonly kept: readonly FieldName[] // in the order of the table
  readonly keys: readonly string[] // '"RouterName":', one for each that is kept
  readonly keeps: Readonly<Record<FieldName, boolean>>
  readonly query: Mode
  readonly headers: HeaderModes | null // null: no header is written
  readonly filters: boolean // false: every line is kept
  readonly statusCodes: readonly (readonly [number, number])[]
  readonly retryAttempts: boolean
  readonly minDurationMs: number
}

export function compileSettings(choices: LineChoices): LineSettings {
  const modeOf = (name: string) => choices.names[name] ?? choices.defaultMode
  const kept = accessLogFields.map((f) => f.name).filter((name) => modeOf(name) === 'keep') // a field can't be redacted in part
  const keeps = Object.fromEntries(accessLogFields.map((f) => [f.name, kept.includes(f.name)]))
  const named = Object.values(choices.headerNames).some((mode) => mode !== 'drop')
  const anyHeader = choices.headersDefaultMode !== 'drop' || named
  const { statusCodes, retryAttempts, minDurationMs } = choices
  return {
    format: choices.format,
    kept,
    keys: kept.map((name) => `"${name}":`),
    keeps: keeps as Record<FieldName, boolean>,
    query: choices.queryDefaultMode,
    headers: anyHeader ? new HeaderModes(choices.headersDefaultMode, choices.headerNames) : null,
    filters: statusCodes.length > 0 || retryAttempts || minDurationMs > 0,
    statusCodes,
    retryAttempts,
    minDurationMs,
  }
}

// Headers that carry credentials are written out only when somebody named them: `keep` for all headers is
// said by people who look for a fault, and logs are read by more people than secrets should be.
const credentials: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
])

export class HeaderModes {
  private readonly fallback: Mode
  private readonly byName = new Map<string, Mode>()

  constructor(fallback: Mode, names: Readonly<Record<string, string>>) {
    this.fallback = fallback
    if (fallback === 'keep') for (const name of credentials) this.byName.set(name, 'redact')
    for (const [name, mode] of Object.entries(names)) {
      this.byName.set(name.toLowerCase(), mode as Mode)
    }
  }

  // `name` in lower case.
  of(name: string): Mode {
    return this.byName.get(name) ?? this.fallback
  }
}
