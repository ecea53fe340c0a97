// bench/ready.ts: when a peer or an origin is up: once an answer of the kind that the load will ask for comes back.

import dgram from 'node:dgram'
import type { Child } from './children.ts'
import { MESSAGE_BYTES, callOnce, framed } from './grpc.ts'
import { waitForStatus, waitUntil } from './http.ts'
import type { PeerOptions } from './peers/contract.ts'
import { speaksTls } from './peers/contract.ts'

const TIMEOUT_MS = 15_000
const ECHO_MS = 100 // a datagram that nobody listens for is lost without a word

export function waitForPeer(child: Child, options: PeerOptions, port: number): Promise<void> {
  if (options.protocol === 'udp') return waitForEcho(child, port)
  if (options.protocol === 'grpc') return waitForCall(child, port, true)
  const target = options.hasMiddlewares || options.traffic === 'five' ? '/api/' : '/'
  const isSecure = speaksTls(options.protocol)
  return waitForStatus(child, port, target, 200, TIMEOUT_MS, 'bench.test', isSecure)
}

export function waitForCall(child: Child, port: number, isSecure: boolean): Promise<void> {
  return waitUntil(child, TIMEOUT_MS, 'a gRPC call', async () => {
    const { status, bytes } = await callOnce(port, isSecure)
    if (status !== '0') throw new Error(`grpc-status '${status}'`)
    if (bytes !== framed(MESSAGE_BYTES).length) throw new Error(`an answer of ${bytes} bytes`)
  })
}

export function waitForEcho(child: Child, port: number): Promise<void> {
  return waitUntil(child, TIMEOUT_MS, 'a datagram', () => echoOnce(port))
}

function echoOnce(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket('udp4')
    const timer = setTimeout(() => done(new Error('no echo')), ECHO_MS)
    const done = (error: Error | null): void => {
      clearTimeout(timer)
      socket
        .removeAllListeners()
        .on('error', () => {})
        .close()
      if (error === null) resolve()
      else reject(error)
    }
    socket.on('error', done)
    socket.on('message', () => done(null))
    socket.send('ready?', port, '127.0.0.1')
  })
}
