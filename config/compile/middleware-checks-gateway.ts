// config/compile/middleware-checks-gateway.ts: the closer look at filters of the Gateway API. Hot: no.

import { isHostPort } from '../../core/h1/host.ts'
import { isFraming } from '../../core/middleware/header-line.ts'
import { legalRewrite } from '../../core/normalise.ts'
import { portOf } from '../../core/normalise-host.ts'
import type { MiddlewareOptions } from '../dynamic/middlewares.ts'
import {
  failing,
  headerMap,
  one,
  quoted,
  wantName,
  wantPath,
  wantPort,
  type Fault,
} from './middleware-words.ts'

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

const STATUSES: readonly number[] = [301, 302, 303, 307, 308] // those of HTTPRequestRedirectFilter

export function checkRequestRedirect(options: MiddlewareOptions<'requestRedirect'>): Fault[] {
  const { scheme, hostname, port, path, statusCode } = options
  const faults = [
    ...(scheme === '' ? [] : one('scheme', scheme, wantScheme)),
    ...(hostname === '' ? [] : one('hostname', hostname, wantHostname)),
    ...(port === '' ? [] : one('port', port, wantPort)),
    ...pathFaults(options),
  ]
  if (!STATUSES.includes(statusCode)) {
    const message = `statusCode: ${statusCode} is none of ${STATUSES.join(', ')}`
    faults.push({ key: ['statusCode'], message })
  }
  if (scheme === '' && hostname === '' && port === '' && path === null) {
    const message =
      'would send clients to the URL that they ask for: give scheme, hostname, port or path'
    faults.push({ key: [], message })
  }
  return faults
}

export function checkUrlRewrite(options: MiddlewareOptions<'URLRewrite'>): Fault[] {
  const { hostname } = options
  return [...(hostname === '' ? [] : one('hostname', hostname, wantHost)), ...pathFaults(options)]
}

const wantScheme = (scheme: string): string =>
  scheme === 'http' || scheme === 'https' ? '' : `${quoted(scheme)} is neither http nor https`

const wantHost = (host: string): string =>
  isHostPort(host) ? '' : `${quoted(host)} is not a host that may be sent`

const wantHostname = (host: string): string =>
  wantHost(host) ||
  (portOf(host) === '' ? '' : `${quoted(host)} holds a port, which has a key of its own`)

interface PathChange {
  readonly path: string | null
  readonly pathPrefix: string | null
}

function pathFaults({ path, pathPrefix }: PathChange): Fault[] {
  const faults = pathPrefix === null ? [] : one('pathPrefix', pathPrefix, wantPath)
  if (path === null) {
    const message = `pathPrefix: path, which replaces it, is missing; "" takes it off`
    return pathPrefix === null ? [] : [...faults, { key: ['pathPrefix'], message }]
  }
  return path === '' && pathPrefix !== null ? faults : [...faults, ...one('path', path, wantSent)]
}

const wantSent = (path: string): string =>
  wantPath(path) || (legalRewrite(path) === null ? `${quoted(path)} may not be sent as a path` : '')
