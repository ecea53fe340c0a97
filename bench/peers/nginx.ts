// bench/peers/nginx.ts: nginx as a reverse proxy with kept upstream connections and one worker.
//
// The yardstick is set to its best: no temporary files for large bodies (they would measure the disk), and uploads
// streamed as Sluice streams them. Its buffers are otherwise its defaults.

import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { benchCertificate } from '../certificate.ts'
import { freePorts, startChild } from '../children.ts'
import { findProgram } from '../cores.ts'
import { makeWorkFolder } from '../folders.ts'
import { waitForPeer } from '../ready.ts'
import type { Peer, PeerOptions, Protocol, RunningPeer } from './contract.ts'
import { IDLE_CONNECTIONS, OPEN_FILES_MAX, speaksTls } from './contract.ts'

export const nginx: Peer = {
  name: 'nginx',
  isAvailable: () => findProgram('nginx') !== null,
  start,
}

async function start(options: PeerOptions): Promise<RunningPeer> {
  const [port = 0] = await freePorts(1)
  const folder = makeWorkFolder(`nginx-${port}`)
  writeFileSync(path.join(folder, 'nginx.conf'), configText(options, port, folder))
  const program = findProgram('nginx') ?? 'nginx'
  const child = startChild([program, '-p', folder, '-e', 'error.log', '-c', 'nginx.conf'], {
    name: 'nginx',
    cores: options.cores,
    openFilesMax: OPEN_FILES_MAX,
  })
  await waitForPeer(child, options, port)
  return { child, port, adminPort: null, dynamicFile: null, stop: () => child.stop() }
}

// Debian has the stream module in a package of its own.
const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so'

function configText(options: PeerOptions, port: number, folder: string): string {
  const isStream = options.protocol === 'tcp' || options.protocol === 'udp'
  return isStream ? streamText(options, port) : httpText(options, port, folder)
}

function streamText(options: PeerOptions, port: number): string {
  const kind = options.protocol === 'udp' ? 'udp' : 'backlog=4096'
  return `load_module ${STREAM_MODULE};
worker_processes ${options.workers}; daemon off; pid nginx.pid; error_log error.log crit;
worker_rlimit_nofile ${OPEN_FILES_MAX};
events { worker_connections 16384; }
stream {
  server {
    listen 127.0.0.1:${port} reuseport ${kind};
    proxy_pass 127.0.0.1:${options.originPort};
  }
}
`
}

function listenText(options: PeerOptions, port: number): string {
  const listen = `listen 127.0.0.1:${port} reuseport backlog=4096`
  if (!speaksTls(options.protocol)) return `${listen};`
  const { certFile, keyFile } = benchCertificate()
  return `${listen} ssl http2;
    http2_max_requests 100000000; http2_recv_timeout 3600s;
    ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:bench:10m; ssl_session_tickets on;`
}

function httpText(options: PeerOptions, port: number, folder: string): string {
  return `worker_processes ${options.workers}; daemon off; pid nginx.pid; error_log error.log crit;
worker_rlimit_nofile ${OPEN_FILES_MAX};
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 16384; }
http {
  access_log off; tcp_nodelay on;
  keepalive_requests 100000000; keepalive_timeout 3600s;
  proxy_max_temp_file_size 0; proxy_request_buffering off; client_max_body_size 0;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
${options.protocol === 'websocket' ? upgradeMap : ''}${options.traffic === 'cache' ? cacheZone(folder) : ''}  upstream origin {
    server 127.0.0.1:${options.originPort};
    keepalive ${IDLE_CONNECTIONS}; keepalive_requests 100000000;
  }
  server {
    ${listenText(options, port)}
    location / {
${locationText(options.protocol)}${options.traffic === 'cache' ? '\n      proxy_cache bench;' : ''}
    }
${options.hasMiddlewares ? middlewareLocation : ''}
  }
}
`
}

function cacheZone(folder: string): string {
  return `  proxy_cache_path ${folder}/cache keys_zone=bench:10m max_size=100m inactive=1h;\n`
}

// A request that upgrades says so to the origin; every other keeps the upstream connection.
const upgradeMap = `  map $http_upgrade $upstream_connection { default upgrade; '' ''; }\n`

function locationText(protocol: Protocol): string {
  if (protocol === 'grpc') {
    return `      grpc_set_header Host $host;
      grpc_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      grpc_pass grpc://origin;`
  }
  const connection = protocol === 'websocket' ? '$upstream_connection' : '""'
  const upgrade = protocol === 'websocket' ? '\n      proxy_set_header Upgrade $http_upgrade;' : ''
  return `      proxy_http_version 1.1;
      proxy_set_header Connection ${connection};${upgrade}
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_pass http://origin;`
}

// What bench/peers/sluice-config.ts asks of Sluice's middlewares, in nginx's own words.
const middlewareLocation = `    location /api/ {
      allow 127.0.0.0/8;
      deny all;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Prefix /api;
      proxy_set_header X-Bench-Request one;
      add_header X-Bench-Response two;
      add_header X-Frame-Options DENY;
      add_header X-Content-Type-Options nosniff;
      proxy_pass http://origin/;
    }`
