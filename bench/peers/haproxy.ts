// bench/peers/haproxy.ts: HAProxy with one thread, which reuses every upstream connection.

import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { benchCertificate } from '../certificate.ts'
import { freePorts, startChild } from '../children.ts'
import { findProgram } from '../cores.ts'
import { makeWorkFolder } from '../folders.ts'
import { waitForPeer } from '../ready.ts'
import type { Peer, PeerOptions, RunningPeer } from './contract.ts'
import { OPEN_FILES_MAX, speaksTls } from './contract.ts'

export const haproxy: Peer = {
  name: 'haproxy',
  isAvailable: () => findProgram('haproxy') !== null,
  start,
}

async function start(options: PeerOptions): Promise<RunningPeer> {
  if (options.protocol === 'udp') throw new Error('haproxy forwards no UDP')
  const [port = 0] = await freePorts(1)
  const file = path.join(makeWorkFolder(), `haproxy-${port}.cfg`)
  writeFileSync(file, configText(options, port))
  const child = startChild([findProgram('haproxy') ?? 'haproxy', '-db', '-f', file], {
    name: 'haproxy',
    cores: options.cores,
    openFilesMax: OPEN_FILES_MAX,
  })
  await waitForPeer(child, options, port)
  return { child, port, adminPort: null, dynamicFile: null, stop: () => child.stop() }
}

function bindText(options: PeerOptions, port: number): string {
  const bind = `bind 127.0.0.1:${port} backlog 4096`
  if (!speaksTls(options.protocol)) return bind
  return `${bind} ssl crt ${benchCertificate().bothFile} alpn h2,http/1.1`
}

function configText(options: PeerOptions, port: number): string {
  const isHttp = options.protocol !== 'tcp'
  return `global
  nbthread ${options.workers}
  maxconn 10100
  no strict-limits
defaults
  mode ${isHttp ? 'http' : 'tcp'}
  timeout connect 5s
  timeout client 60s
  timeout server 60s
${isHttp ? '  option http-keep-alive\n  http-reuse always' : ''}
frontend web
  ${bindText(options, port)}
${isHttp ? '  option forwardfor' : ''}
${options.hasMiddlewares ? middlewareRules : ''}
  default_backend origin
backend origin
  server one 127.0.0.1:${options.originPort}${options.protocol === 'grpc' ? ' proto h2' : ''}
`
}

const middlewareRules = `  http-request deny unless { src 127.0.0.0/8 }
  http-request set-header X-Forwarded-Prefix /api if { path_beg /api/ }
  http-request replace-path /api/(.*) /\\1
  http-request set-header X-Bench-Request one
  http-response set-header X-Bench-Response two
  http-response set-header X-Frame-Options DENY
  http-response set-header X-Content-Type-Options nosniff`
