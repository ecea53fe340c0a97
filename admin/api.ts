// admin/api.ts: everything below /api, read-only: Traefik's API with `sluice` added to the overview.
//
// Each answer is made from the supervisor's state at the moment of the request. Names in paths may be
// percent-encoded; a name that is not there is 404, a page that is not there 400, both as JSON. Hot: no.

import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { formatProblem, type Problem } from '../config/problem.ts'
import type { SpiffeStatus } from '../config/spiffe.ts'
import { caches } from './caches.ts'
import { certificates, oneCertificate } from './certificates.ts'
import { isWanted, pageOf, sortItems } from './listing.ts'
import { staticWithoutSecrets } from './redact.ts'
import { errorReply, jsonReply, type Reply } from './reply.ts'
import {
  kindsOf,
  objectsOf,
  protocols,
  represent,
  type Kind,
  type Protocol,
  type Shown,
} from './representation.ts'
import type { AdminState } from './state.ts'
import { tarOf } from './tar.ts'

export const CODE_NAME = 'sluice'

// `path` is what follows /api, its first slash included.
export async function answerApi(
  state: AdminState,
  path: string,
  query: URLSearchParams,
): Promise<Reply> {
  switch (path) {
    case '/version':
      return jsonReply(version(state))
    case '/overview':
      return jsonReply(overview(state))
    case '/rawdata':
      return jsonReply(rawData(state))
    case '/support-dump':
      return supportDump(state)
    case '/entrypoints':
      return page(entryPoints(state), query)
    case '/http/cache':
      return page(caches(state), query)
    case '/http/rollouts':
      return page(
        state.rollouts().map((rollout) => ({ ...rollout })),
        query,
      )
    case '/certificates':
      return page(certificates(state, query), query)
  }
  return answerObject(state, path.slice(1).split('/'), query)
}

function answerObject(state: AdminState, steps: readonly string[], query: URLSearchParams): Reply {
  const [first = '', second = '', third] = steps
  if (first === 'entrypoints' && steps.length === 2) return oneEntryPoint(state, second)
  if (first === 'certificates' && steps.length === 2) {
    const found = oneCertificate(state, second)
    return found === null ? notFound('certificate', second) : jsonReply(found)
  }
  const protocol = protocols.find((name) => name === first)
  const kind = protocol && kindsOf[protocol].find((name) => name === second)
  if (protocol === undefined || kind === undefined || steps.length > 3) {
    return errorReply(404, 'there is no such resource')
  }
  return third === undefined
    ? list(state, protocol, kind, query)
    : one(state, protocol, kind, third)
}

function version(state: AdminState): Shown {
  return {
    Version: state.version,
    Codename: CODE_NAME,
    startDate: new Date(state.startedAt).toISOString(),
    disableDashboardAd: true,
  }
}

function overview(state: AdminState): Shown {
  const { staticConfig } = state
  const counts = protocols.map((protocol) => [
    protocol,
    Object.fromEntries(kindsOf[protocol].map((kind) => [kind, countsOf(state, protocol, kind)])),
  ])
  return {
    ...(Object.fromEntries(counts) as Shown),
    features: {
      tracing: '',
      metrics: state.metrics === null ? '' : 'Prometheus',
      accessLog: staticConfig.accessLog !== null,
    },
    providers: state.providers,
    sluice: {
      generation: { ...state.generation() },
      lastLoadSucceeded: state.lastLoad().succeeded,
      problems: state.lastLoad().problems.map(shownProblem),
      workers: state.workers(),
      spiffe: shownSpiffe(state.spiffe()),
    },
  }
}

function shownSpiffe(status: SpiffeStatus | null): Shown | null {
  if (status === null) return null
  const { notAfter } = status
  return { ...status, notAfter: notAfter === 0 ? '' : new Date(notAfter).toISOString() }
}

function countsOf(state: AdminState, protocol: Protocol, kind: Kind): Shown {
  let warnings = 0
  let errors = 0
  const objects = objectsOf(state, protocol, kind)
  for (const { status } of objects.values()) {
    if (status === 'warning') warnings++
    else if (status === 'disabled') errors++
  }
  return { total: objects.size, warnings, errors }
}

function shownProblem(problem: Problem): Shown {
  return { ...problem, text: formatProblem(problem) }
}

function rawData(state: AdminState): Shown {
  const data: Shown = {}
  for (const protocol of protocols) {
    for (const kind of kindsOf[protocol]) {
      const key =
        protocol === 'http' ? kind : `${protocol}${kind[0]!.toUpperCase()}${kind.slice(1)}`
      data[key] = rawObjects(state, protocol, kind)
    }
  }
  return data
}

function rawObjects(state: AdminState, protocol: Protocol, kind: Kind): Shown {
  const shown = [...objectsOf(state, protocol, kind)].map(([name, object]) => {
    const item = represent(state, protocol, kind, object)
    delete item['name'] // the key says it, and Traefik's rawdata has neither
    delete item['provider']
    return [name, item] as const
  })
  return Object.fromEntries(shown)
}

const zip = promisify(gzip)

function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2) + '\n'
}

async function supportDump(state: AdminState): Promise<Reply> {
  const archive = tarOf(
    [
      { name: 'version.json', text: pretty(version(state)) },
      { name: 'overview.json', text: pretty(overview(state)) },
      { name: 'static_config.json', text: pretty(staticWithoutSecrets(state.staticConfig)) },
      { name: 'runtime_config.json', text: pretty(rawData(state)) },
    ],
    Date.now() / 1000,
  )
  const headers = {
    'Content-Type': 'application/gzip',
    'Content-Disposition': 'attachment; filename=support-dump.tar.gz',
  }
  return { status: 200, headers, body: await zip(archive) }
}

function entryPoints(state: AdminState): Shown[] {
  const config = staticWithoutSecrets(state.staticConfig) as Shown
  return Object.entries(config['entryPoints'] as Record<string, Shown>)
    .map(([name, entryPoint]) => shownEntryPoint(name, entryPoint))
    .sort((a, b) => (String(a['name']) < String(b['name']) ? -1 : 1))
}

function shownEntryPoint(name: string, entryPoint: Shown): Shown {
  const shown = { ...entryPoint, name }
  return Object.fromEntries(Object.entries(shown).filter(([key]) => key !== 'listen')) // no key of its own
}

function oneEntryPoint(state: AdminState, encoded: string): Reply {
  const name = decoded(encoded)
  const found = entryPoints(state).find((entryPoint) => entryPoint['name'] === name)
  return found === undefined ? notFound('entry point', encoded) : jsonReply(found)
}

function list(state: AdminState, protocol: Protocol, kind: Kind, query: URLSearchParams): Reply {
  const shown: Shown[] = []
  for (const object of objectsOf(state, protocol, kind).values()) {
    const item = represent(state, protocol, kind, object)
    if (isWanted(kind, item, query)) shown.push(item)
  }
  return page(sortItems(kind, shown, query), query)
}

function page(items: readonly Shown[], query: URLSearchParams): Reply {
  const found = pageOf(items, query)
  if (found !== null) return jsonReply(found.items, { 'X-Next-Page': String(found.nextPage) })
  const asked = `page: ${query.get('page') ?? ''}, per_page: ${query.get('per_page') ?? ''}`
  return errorReply(400, `invalid request: ${asked.slice(0, 100)}`)
}

function one(state: AdminState, protocol: Protocol, kind: Kind, encoded: string): Reply {
  const name = decoded(encoded)
  const object = name === null ? undefined : objectsOf(state, protocol, kind).get(name)
  if (object === undefined) return notFound(kind.slice(0, -1), encoded)
  return jsonReply(represent(state, protocol, kind, object))
}

function notFound(what: string, encoded: string): Reply {
  const name = (decoded(encoded) ?? encoded).slice(0, 200)
  return errorReply(404, `${what} not found: ${name}`)
}

// null when the text is not percent-encoded UTF-8.
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
