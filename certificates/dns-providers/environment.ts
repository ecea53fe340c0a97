// certificates/dns-providers/environment.ts: credentials and settings of DNS services, from variables of the
// environment. NAME_FILE names a file that holds the value, as secrets of containers come. Hot: no.

import { readFileSync } from 'node:fs'

export type Variables = Readonly<Record<string, string | undefined>>

export class Environment {
  private readonly variables: Variables
  private readonly service: string

  constructor(variables: Variables, service: string) {
    this.variables = variables
    this.service = service
  }

  // The first of several names that is set; '' for none.
  text(...names: string[]): string {
    for (const name of names) {
      const value = this.variables[name] ?? this.fromFile(name)
      if (value !== '') return value
    }
    return ''
  }

  private fromFile(name: string): string {
    const path = this.variables[`${name}_FILE`] ?? ''
    return path === '' ? '' : readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  }

  needed(...names: string[]): string {
    const value = this.text(...names)
    if (value === '')
      throw new Error(`${this.service}: the variable ${names.join(' or ')} is not set`)
    return value
  }

  url(fallback: string, ...names: string[]): string {
    const value = this.text(...names) || fallback
    const url = URL.parse(value)
    if (url === null || !/^https?:$/.test(url.protocol))
      throw new Error(`${this.service}: ${names.join(' or ')} is no URL of http or https`)
    return value.replace(/\/+$/, '')
  }

  // Numbers of seconds.
  ms(fallbackSeconds: number, name: string): number {
    return this.number(fallbackSeconds, name) * 1000
  }

  number(fallback: number, name: string): number {
    const value = this.text(name)
    if (value === '') return fallback
    if (!/^\d{1,7}$/.test(value)) throw new Error(`${this.service}: ${name} is not a whole number`)
    return Number(value)
  }

  // PREFIX_PROPAGATION_TIMEOUT and PREFIX_POLLING_INTERVAL, which every service has.
  times(prefix: string, timeout: number, interval: number) {
    return {
      propagationTimeoutMs: this.ms(timeout, `${prefix}_PROPAGATION_TIMEOUT`),
      pollIntervalMs: Math.max(100, this.ms(interval, `${prefix}_POLLING_INTERVAL`)),
    }
  }
}
