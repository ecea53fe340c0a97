// bench/origin.ts: what the peers forward to, on the load's core.
//
// nginx when it is installed, because it costs the least; our own origin otherwise, and always for uploads, which
// nginx answers before it has read them. Both serve: /64k, /10m, and 101 bytes for
// every other path; /cacheable may be kept for an hour. What speaks
// another protocol than HTTP/1.1 lies in bench/origins.

import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Child } from './children.ts'
import { freePorts, startChild } from './children.ts'
import { findProgram } from './cores.ts'
import { benchFolder, makeWorkFolder } from './folders.ts'
import { waitForStatus } from './http.ts'
import { waitForCall, waitForEcho } from './ready.ts'

export const SMALL_BODY =
  'A small answer of one hundred and one bytes, by which a proxy is measured. '.padEnd(
    101,
    '0123456789',
  )
export const LARGE_BODIES: Readonly<Record<string, number>> = { '/64k': 65_536, '/10m': 10_485_760 }

export type OriginRole = 'http' | 'uploads' | 'grpc' | 'websocket' | 'udp'

const SCRIPTS: Readonly<Record<OriginRole, string>> = {
  http: 'origin-process.ts',
  uploads: 'origin-process.ts',
  grpc: 'origins/grpc-process.ts',
  websocket: 'origins/websocket-process.ts',
  udp: 'origins/udp-process.ts',
}

export interface Origin {
  readonly kind: 'nginx' | 'own'
  readonly port: number
  stop(): Promise<void>
}

export async function startOrigin(role: OriginRole, cores: string | null): Promise<Origin> {
  const [port = 0] = await freePorts(1)
  const nginx = findProgram('nginx')
  const isNginx = nginx !== null && role === 'http'
  const child = isNginx ? startNginx(nginx, port, cores) : startOwn(role, port, cores)
  await waitForOrigin(child, role, port)
  return { kind: isNginx ? 'nginx' : 'own', port, stop: () => child.stop() }
}

function waitForOrigin(child: Child, role: OriginRole, port: number): Promise<void> {
  if (role === 'udp') return waitForEcho(child, port)
  if (role === 'grpc') return waitForCall(child, port, false)
  return waitForStatus(child, port, '/', 200)
}

function startOwn(role: OriginRole, port: number, cores: string | null): Child {
  const script = path.join(benchFolder, SCRIPTS[role])
  const flag = '--disable-warning=ExperimentalWarning'
  return startChild([process.execPath, flag, script, String(port)], { name: 'origin', cores })
}

function startNginx(program: string, port: number, cores: string | null): Child {
  const folder = makeWorkFolder(`origin-${port}`)
  mkdirSync(path.join(folder, 'www'), { recursive: true })
  for (const [name, bytes] of Object.entries(LARGE_BODIES)) {
    writeFileSync(path.join(folder, 'www', name), Buffer.alloc(bytes, 'x'))
  }
  writeFileSync(path.join(folder, 'nginx.conf'), nginxConfig(port, folder))
  const command = [program, '-p', folder, '-e', 'error.log', '-c', 'nginx.conf']
  return startChild(command, { name: 'origin', cores })
}

function nginxConfig(port: number, folder: string): string {
  return `worker_processes 1; daemon off; pid nginx.pid; error_log error.log crit; worker_rlimit_nofile 20000;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 16384; }
http {
  access_log off; sendfile on; tcp_nodelay on; default_type text/plain;
  keepalive_requests 100000000; keepalive_timeout 3600s; open_file_cache max=10;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${folder}/www;
    location / { return 200 "${SMALL_BODY}"; }
    location = /cacheable { add_header Cache-Control max-age=3600; return 200 "${SMALL_BODY}"; }
${Object.keys(LARGE_BODIES)
  .map((name) => `    location = ${name} { }`)
  .join('\n')}
  }
}
`
}
