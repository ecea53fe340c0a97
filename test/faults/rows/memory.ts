// Rows 21 and 37: too little memory, and bodies that would take all of it if somebody unpacked them.

import { createGzip } from 'node:zlib'
import { once } from 'node:events'
import http from 'node:http'
import { type Keys, routesTo, startGateway } from '../../support/gateway.ts'
import { startHttpOrigin } from '../../support/origin.ts'
import { eventually } from '../../support/wait.ts'
import { type FaultRow, finding } from '../contract.ts'
import { startLedgerOrigin } from '../ledger.ts'
import { residentMiB } from '../memory.ts'

interface Routes {
  http: { routers: Record<string, Record<string, unknown>>; middlewares?: Keys }
}

// The gateway is told that the machine has hardly more than it takes already.
const pressed: FaultRow = {
  number: 21,
  name: 'Memory runs out',
  accept: 'what matters least is shed first, what matters is served, ping and ready answer',
  smoke: true,
  run: async () => {
    const origin = await startLedgerOrigin()
    const routes = structuredClone(routesTo([origin.url])) as unknown as Routes
    const router = (priorityClass: string): Record<string, unknown> => {
      return {
        rule: `Path(\`/${priorityClass}\`)`,
        service: 'origin',
        priorityClass,
        priority: 100,
      }
    }
    Object.assign(routes.http.routers, { low: router('low'), high: router('high') })
    const options = { routes: routes as unknown as Keys }
    const calm = await startGateway(options)
    const taken = residentMiB(calm.child.pid!)
    await calm.stop()
    const memoryLimit = Math.round(taken * 1.3 * 1024 * 1024)
    const overload = { memoryLimit, memory: { closeConnections: 40, shedLow: 60 } }
    const gateway = await startGateway({ ...options, static: { overload } })
    await eventually('it to shed', async () => (await ask(gateway.port, '/low')).status === 503)
    const high = await ask(gateway.port, '/high')
    const pings: number[] = []
    for (let i = 0; i < 20; i++) {
      const { status, ms } = await ask(gateway.adminPort, i % 2 === 0 ? '/ping' : '/ready')
      pings.push(status === 200 ? ms : Infinity)
    }
    await gateway.stop()
    await origin.stop()
    const median = pings.toSorted((a, b) => a - b)[10]!
    return finding(
      high.status === 200 && median < 100,
      `low 503, high ${high.status}; ping and ready after ${median.toFixed(1)} ms (median), with ${taken.toFixed(0)} MiB of ${(memoryLimit / 1024 / 1024).toFixed(0)}`,
    )
  },
}

async function ask(port: number, path: string): Promise<{ status: number; ms: number }> {
  const from = performance.now()
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  await response.arrayBuffer()
  return { status: response.status, ms: performance.now() - from }
}

// A gibibyte of zeros, packed: about a mebibyte.
async function bomb(): Promise<Buffer> {
  const gzip = createGzip()
  const pieces: Buffer[] = []
  gzip.on('data', (piece: Buffer) => pieces.push(piece))
  const zeros = Buffer.alloc(4 * 1024 * 1024)
  for (let i = 0; i < 256; i++) if (!gzip.write(zeros)) await once(gzip, 'drain')
  gzip.end()
  await once(gzip, 'end')
  return Buffer.concat(pieces)
}

const packed: FaultRow = {
  number: 37,
  name: 'Bodies that unpack to a gibibyte, both ways',
  accept: 'nobody unpacks them: they pass as they are, memory grows by 64 MiB at the most',
  smoke: false,
  run: async () => {
    const body = await bomb()
    let got = 0
    const origin = await startHttpOrigin((request, response) => {
      request.on('data', (piece: Buffer) => (got += piece.length))
      request.on('end', () => {
        response.writeHead(200, { 'Content-Encoding': 'gzip', 'Content-Type': 'text/html' })
        response.end(body)
      })
    })
    const routes = structuredClone(routesTo([origin.url])) as unknown as Routes
    routes.http.middlewares = {
      pack: { compress: {} },
      text: { bodyRewrite: { replacements: [{ literal: 'a', replacement: 'b' }] } },
    }
    routes.http.routers['all']!['middlewares'] = ['pack', 'text']
    const gateway = await startGateway({ routes: routes as unknown as Keys })
    const before = residentMiB(gateway.child.pid!)
    const sizes: number[] = []
    for (let i = 0; i < 5; i++) sizes.push(await post(gateway.port, body))
    const more = residentMiB(gateway.child.pid!) - before
    await gateway.stop()
    await origin.stop()
    const whole = sizes.every((size) => size === body.length) && got === 5 * body.length
    return finding(
      whole && more < 64,
      `${(body.length / 1024).toFixed(0)} KiB passed 5 times each way, unchanged ${whole}; +${more.toFixed(0)} MiB`,
    )
  },
}

// Bytes of the answer as they came.
function post(port: number, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Encoding': 'gzip', 'Accept-Encoding': 'gzip' }
    const request = http.request(
      { port, host: '127.0.0.1', method: 'POST', headers },
      (response) => {
        let size = 0
        response.on('data', (piece: Buffer) => (size += piece.length))
        response.on('end', () => resolve(size))
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

export const memoryRows: readonly FaultRow[] = [pressed, packed]
