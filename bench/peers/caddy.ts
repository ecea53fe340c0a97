// bench/peers/caddy.ts: Caddy, the representative of proxies written in Go. Go counts the cores it is pinned to,
// so that one core means one running goroutine.

import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { freePorts, startChild } from '../children.ts'
import { findProgram } from '../cores.ts'
import { makeWorkFolder } from '../folders.ts'
import { waitForStatus } from '../http.ts'
import type { Peer, PeerOptions, RunningPeer } from './contract.ts'
import { IDLE_CONNECTIONS, OPEN_FILES_MAX } from './contract.ts'

export const caddy: Peer = {
  name: 'caddy',
  isAvailable: () => findProgram('caddy') !== null,
  start,
}

async function start(options: PeerOptions): Promise<RunningPeer> {
  const [port = 0] = await freePorts(1)
  const folder = makeWorkFolder(`caddy-${port}`)
  const file = path.join(folder, 'Caddyfile')
  writeFileSync(file, configText(options, port))
  const program = findProgram('caddy') ?? 'caddy'
  const child = startChild([program, 'run', '--config', file, '--adapter', 'caddyfile'], {
    name: 'caddy',
    cores: options.cores,
    openFilesMax: OPEN_FILES_MAX,
    env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  })
  await waitForStatus(child, port, options.hasMiddlewares ? '/api/' : '/', 200)
  return { child, port, adminPort: null, dynamicFile: null, stop: () => child.stop() }
}

function configText(options: PeerOptions, port: number): string {
  return `{
  admin off
  auto_https off
  log {
    level ERROR
  }
}
http://:${port} {
  bind 127.0.0.1
${options.hasMiddlewares ? middlewareDirectives : ''}
  reverse_proxy 127.0.0.1:${options.originPort} {
${options.hasMiddlewares ? '    header_up X-Bench-Request one' : ''}
    transport http {
      keepalive_idle_conns_per_host ${IDLE_CONNECTIONS}
    }
  }
}
`
}

const middlewareDirectives = `  @foreign not remote_ip 127.0.0.0/8
  respond @foreign 403
  uri strip_prefix /api
  header X-Bench-Response two
  header X-Frame-Options DENY
  header X-Content-Type-Options nosniff`
