// bench/scenarios/protocols.ts: steady loads of what is not clear-text HTTP/1.1: TLS, HTTP/2, gRPC, WebSocket, TCP, UDP.

import { CALL_PATH, MESSAGE_BYTES, framed } from '../grpc.ts'
import { smallRequest } from '../load/contract.ts'
import type { RequestShape } from '../load/contract.ts'
import type { Subject } from '../paired.ts'
import type { Protocol } from '../peers/contract.ts'
import type { Bench, Scenario } from './contract.ts'
import { basePlan, rivalsOf, sluiceNode, sluiceUws, steady } from './steady.ts'

// Caddy and the floor are left out: the yardsticks of these are nginx and, where it has the protocol, HAProxy.
function subjectsOf(bench: Bench, protocol: Protocol, ours = [sluiceNode]): Subject[] {
  const names = protocol === 'udp' ? ['nginx'] : ['nginx', 'haproxy']
  const rivals = rivalsOf(bench).filter(({ name }) => names.includes(name))
  return [...ours, ...rivals].map((subject) => ({
    ...subject,
    options: { ...subject.options, protocol },
  }))
}

export const tls: Scenario = steady(
  'tls',
  'Answers of 101 bytes over TLS, 64 kept connections',
  (bench) => ({
    subjects: subjectsOf(bench, 'tls', [sluiceNode, sluiceUws]),
    plan: { ...basePlan, isSecure: true },
  }),
)

export const tlsConnect: Scenario = steady(
  'tls-connect',
  'A new TLS handshake for every request',
  (bench) => ({
    subjects: subjectsOf(bench, 'tls'),
    plan: { ...basePlan, connections: 16, isSecure: true, isClosing: true },
  }),
)

export const tlsResume: Scenario = steady(
  'tls-resume',
  'A resumed TLS handshake for every request',
  (bench) => ({
    subjects: subjectsOf(bench, 'tls'),
    plan: {
      ...basePlan,
      generator: 'tls-resume',
      connections: 16,
      isSecure: true,
      isClosing: true,
    },
  }),
)

export const h2: Scenario = steady(
  'h2',
  'HTTP/2 over TLS, 8 connections with 16 streams each',
  (bench) => ({
    subjects: subjectsOf(bench, 'tls'),
    plan: { ...basePlan, generator: 'h2load', connections: 8, streams: 16, isSecure: true },
  }),
)

const call = framed(MESSAGE_BYTES)
const callRequest: RequestShape = {
  method: 'POST',
  host: 'bench.test',
  path: CALL_PATH,
  bodyBytes: call.length,
  grpc: { message: call.toString('latin1'), answerBytes: call.length },
}

export const grpc: Scenario = steady(
  'grpc',
  'Unary gRPC calls of 100 bytes over TLS, 8 connections with 16 streams each, h2c to the origin',
  (bench) => ({
    subjects: subjectsOf(bench, 'grpc'),
    plan: {
      ...basePlan,
      generator: 'h2load',
      connections: 8,
      streams: 16,
      isSecure: true,
      requests: [callRequest],
    },
    origin: 'grpc',
  }),
)

// Per request means per message here: there and back.
export const webSocket: Scenario = steady(
  'websocket',
  'WebSocket messages of 100 bytes echoed, one in flight on each of 64 connections',
  (bench) => ({
    subjects: subjectsOf(bench, 'websocket', [sluiceNode, sluiceUws]),
    plan: { ...basePlan, generator: 'websocket' },
    origin: 'websocket',
  }),
)

export const tcp10m: Scenario = steady(
  'tcp-10m',
  'Answers of 10 MiB through a TCP router',
  (bench) => ({
    subjects: subjectsOf(bench, 'tcp'),
    plan: { ...basePlan, connections: 8, requests: [{ ...smallRequest, path: '/10m' }] },
  }),
)

export const tcpConnect: Scenario = steady(
  'tcp-connect',
  'A new TCP connection for every request',
  (bench) => ({ subjects: subjectsOf(bench, 'tcp'), plan: { ...basePlan, isClosing: true } }),
)

export const udp: Scenario = steady(
  'udp',
  'Datagrams of 100 bytes echoed, one in flight on each of 64 sockets',
  (bench) => ({
    subjects: subjectsOf(bench, 'udp'),
    plan: { ...basePlan, generator: 'udp' },
    origin: 'udp',
  }),
)
