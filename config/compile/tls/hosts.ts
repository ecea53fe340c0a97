// config/compile/tls/hosts.ts: which TLS options each host has on each entry point.
//
// The name in the handshake chooses the options, long before a router is known, so all routers of a host must
// agree. Where they don't, Traefik takes the default options, which may ask for less than any of them: here all of
// them are disabled, and each is told with the others' names. Hot: no.

import { uwsTlsRefusal } from '../../engine-limits.ts'
import type { TlsHostPlan } from '../../protocol-plans.ts'
import type { Compilation } from '../compilation.ts'
import type { Additions, EntryPointAddition } from '../entry-points.ts'
import { failRouter, type Draft } from '../router-plan.ts'
import type { Drafts } from '../router-tree.ts'
import type { TlsOptionsTable } from './options.ts'

interface Host {
  readonly entryPoint: string
  readonly host: string
  readonly options: string // of the first router
  readonly drafts: Draft[]
  others: Map<Draft, string> | null // routers that want other options
}

const namesShown = 3

export class TlsHosts {
  private readonly shared: Compilation
  private readonly additions: Additions
  private readonly options: TlsOptionsTable
  private readonly hosts = new Map<string, Host>()
  private readonly told = new Set<string>()

  // Disables what disagrees; what else is disabled afterwards is left out by plans().
  constructor(shared: Compilation, drafts: Drafts, additions: Additions, options: TlsOptionsTable) {
    this.shared = shared
    this.additions = additions
    this.options = options
    for (const draft of drafts.values()) {
      if (draft.errors.length === 0 && draft.parents.length === 0) this.note(draft)
    }
    for (const host of this.hosts.values()) if (host.others !== null) this.refuse(host)
  }

  plans(): Map<string, TlsHostPlan> {
    const plans = new Map<string, TlsHostPlan>()
    for (const [name, { entryPoint, host, options, drafts }] of this.hosts) {
      if (drafts.every((draft) => draft.errors.length > 0)) continue
      plans.set(name, { name, entryPoint, host, options })
    }
    for (const [entryPoint, addition] of this.additions) {
      const name = `${entryPoint} *`
      const options = addition?.tlsOptions ?? ''
      if (options === '' || plans.has(name)) continue
      plans.set(name, { name, entryPoint, host: '*', options })
    }
    return plans
  }

  private note(draft: Draft): void {
    if (!this.isReached(draft)) return
    for (const entryPoint of draft.entryPoints) {
      const addition = this.additions.get(entryPoint)
      if (addition === null || addition === undefined) continue
      if (!draft.tls && !addition.tls) continue
      const options = draft.tlsOptions || addition.tlsOptions || 'default'
      if (!this.isUsable(draft, options)) return
      for (const host of draft.hosts) this.noteHost(draft, entryPoint, host, options)
      if (draft.hosts.length === 0) this.warnUnbound(draft, addition)
    }
  }

  // Takes the entry points of engine uws away that would not do what the router asks for; none left disables it.
  private isReached(draft: Draft): boolean {
    const faults = new Map<string, string>()
    for (const name of draft.entryPoints) {
      const fault = this.faultOfEngine(draft, name)
      if (fault !== '') faults.set(name, fault)
    }
    if (faults.size === 0) return true
    const fault = [...faults.values()][0]!
    const message = `tls: engine uws of entry point ${[...faults.keys()].join(', ')} ${fault}; the router is not reached there`
    if (faults.size === draft.entryPoints.length) {
      failRouter(this.shared, draft, ['tls'], message)
      return false
    }
    draft.entryPoints = draft.entryPoints.filter((name) => !faults.has(name))
    draft.warnings.push(message)
    const { entry, name } = draft
    if (entry !== null) this.shared.warning(entry, ['tls'], 'CONFIG_ROUTER', `${name}: ${message}`)
    return true
  }

  private faultOfEngine(draft: Draft, name: string): string {
    const at = this.shared.facts.entryPoints.find((one) => one.name === name)
    if (at?.engine !== 'uws') return ''
    if (!at.tls) return draft.tls ? 'needs http.tls at the entry point itself' : ''
    const options = this.options.planOf(draft.tlsOptions)
    const refusal = options === null ? '' : uwsTlsRefusal(options)
    return refusal === '' ? '' : `can't keep the TLS options ${draft.tlsOptions} (${refusal})`
  }

  // Options that are named were looked up with the router; the default ones may be wrong too.
  private isUsable(draft: Draft, options: string): boolean {
    const fault = options === 'default' ? this.options.faultOf('default') : ''
    if (fault === '') return true
    failRouter(this.shared, draft, ['tls'], `the TLS options default are disabled: ${fault}`)
    return false
  }

  private noteHost(draft: Draft, entryPoint: string, host: string, options: string): void {
    const name = `${entryPoint} ${host}`
    const known = this.hosts.get(name)
    if (known === undefined) {
      this.hosts.set(name, { entryPoint, host, options, drafts: [draft], others: null })
      return
    }
    known.drafts.push(draft)
    if (known.options !== options) (known.others ??= new Map()).set(draft, options)
  }

  // Its options are no host's, so only connections that got them by another router's host may use it.
  private warnUnbound(draft: Draft, addition: EntryPointAddition): void {
    const { tlsOptions, entry, name } = draft
    if (entry === null || tlsOptions === '' || tlsOptions === (addition.tlsOptions || 'default'))
      return
    const message =
      `its rule names no Host, so no handshake gets its TLS options ${tlsOptions} for it: ` +
      'requests on connections with others are answered 421'
    if (draft.warnings.includes(message)) return
    draft.warnings.push(message)
    this.shared.warning(entry, ['tls', 'options'], 'CONFIG_TLS', `${name}: ${message}`)
  }

  private refuse({ entryPoint, host, options, drafts, others }: Host): void {
    const wanted = (draft: Draft): string => others!.get(draft) ?? options
    const shown = (draft: Draft): string => `${draft.name} (${wanted(draft)})`
    for (const draft of drafts) {
      if (this.told.has(`${draft.name} ${host}`)) continue // of another entry point
      this.told.add(`${draft.name} ${host}`)
      const against = drafts.filter((other) => wanted(other) !== wanted(draft))
      const more = against.length > namesShown ? ` and ${against.length - namesShown} more` : ''
      const names = against.slice(0, namesShown).map(shown).join(', ')
      const message =
        `the TLS options of ${host} on ${entryPoint} are in conflict: ${wanted(draft)} here, ` +
        `but also ${names}${more}; none of these routers is served`
      const own = draft.entry?.config?.tls?.options ?? ''
      failRouter(this.shared, draft, own === '' ? ['rule'] : ['tls', 'options'], message)
    }
  }
}
