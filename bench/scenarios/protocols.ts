// bench/scenarios/protocols.ts: steady loads of what is not clear-text HTTP/1.1: TLS, HTTP/2, TCP.

import { smallRequest } from '../load/contract.ts'
import type { Subject } from '../paired.ts'
import type { Protocol } from '../peers/contract.ts'
import type { Bench, Scenario } from './contract.ts'
import { basePlan, rivalsOf, sluiceNode, steady } from './steady.ts'

// Caddy and the floor are left out: the yardsticks of these are nginx and HAProxy.
function subjectsOf(bench: Bench, protocol: Protocol): Subject[] {
  const rivals = rivalsOf(bench).filter(({ name }) => name === 'nginx' || name === 'haproxy')
  return [sluiceNode, ...rivals].map((subject) => ({ ...subject, options: { protocol } }))
}

export const tls: Scenario = steady(
  'tls',
  'Answers of 101 bytes over TLS, 64 kept connections',
  (bench) => ({ subjects: subjectsOf(bench, 'tls'), plan: { ...basePlan, isSecure: true } }),
)

export const tlsConnect: Scenario = steady(
  'tls-connect',
  'A new TLS handshake for every request',
  (bench) => ({
    subjects: subjectsOf(bench, 'tls'),
    plan: { ...basePlan, connections: 16, isSecure: true, isClosing: true },
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
