// HTTP/2 connections that get frames with random contents, flags and places: whatever comes, the gateway lives, tells no
// defect, keeps no connection, and goes on to serve others. The seed of a failing run is in its message.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { PREFACE } from '../../core/h2/frames.ts'
import { type Gateway, routesTo, startGateway } from '../support/gateway.ts'
import {
  connectH2,
  data,
  frame,
  headers,
  requestFields,
  settings,
  windowUpdate,
} from '../support/h2-client.ts'
import { metricSum } from '../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { eventually } from '../support/wait.ts'

const SEED = Number(process.env['H2_FUZZ_SEED'] ?? 20_261_120)
const CONNECTIONS = Number(process.env['H2_FUZZ_CONNECTIONS'] ?? 400)

let origin: HttpOrigin
let gateway: Gateway

beforeAll(async () => {
  origin = await startHttpOrigin((request, response) => request.pipe(response))
  gateway = await startGateway({ routes: routesTo([origin.url]) })
})
afterAll(async () => {
  await gateway.stop()
  await origin.stop()
})

function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

type Random = ReturnType<typeof randomOf>

function bytesOf(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random(256)))
}

// Mostly legal, so that streams come into being; then something is wrong with some of them.
function script(random: Random): Buffer {
  const pieces = [Buffer.from(PREFACE, 'latin1'), settings()]
  let id = 1
  for (let i = 0; i < 1 + random(12); i++) {
    switch (random(10)) {
      case 0:
      case 1:
        pieces.push(headers(id, requestFields('POST', '/echo'), 4 | random(2)))
        id += 2
        break
      case 2:
        pieces.push(data(Math.max(1, id - 2), bytesOf(random, random(300)), random(2)))
        break
      case 3:
        pieces.push(
          frame(random(12), random(256), random(2) * random(id + 4), bytesOf(random, random(40))),
        )
        break
      case 4:
        pieces.push(
          headers(id, [...requestFields(), ['x', bytesOf(random, random(20)).toString('latin1')]]),
        )
        id += 2
        break
      case 5:
        pieces.push(frame(1, random(64) | 4, id, bytesOf(random, random(60))))
        id += 2
        break
      case 6:
        pieces.push(windowUpdate(random(id + 2), random(2 ** 31)))
        break
      case 7:
        pieces.push(settings([[random(9), random(2 ** 32)]]))
        break
      case 8:
        pieces.push(frame(3, 0, random(id + 2), Buffer.from([0, 0, 0, random(14)])))
        break
      default:
        pieces.push(frame(9, random(8), random(id + 2), bytesOf(random, random(30))))
    }
  }
  const whole = Buffer.concat(pieces)
  if (random(3) === 0) whole[24 + random(Math.max(1, whole.length - 24))] = random(256)
  return random(4) === 0 ? whole.subarray(0, random(whole.length)) : whole
}

test(`random frames on ${CONNECTIONS} connections harm nobody`, { timeout: 120_000 }, async () => {
  const random = randomOf(SEED)
  for (let i = 0; i < CONNECTIONS; i++) {
    const client = await connectRaw(gateway.port)
    const bytes = script(random)
    const cut = random(bytes.length + 1)
    client.send(bytes.subarray(0, cut))
    if (random(2) === 0) await new Promise((resolve) => setImmediate(resolve))
    client.send(bytes.subarray(cut))
    if (random(2) === 0) client.end()
    else client.destroy()
    if (i % 50 === 0) {
      const good = await connectH2(gateway.port)
      good.send(headers(1, requestFields('GET', '/echo')))
      expect((await good.answer(1)).status, `seed ${SEED}, connection ${i}`).toBe(200)
      good.destroy()
    }
  }
  await eventually('all connections to have ended', async () => {
    const { body } = await gateway.admin('/metrics')
    return metricSum(body, 'traefik_open_connections', 'entrypoint="web"') === 0
  })
  expect(gateway.exit, `seed ${SEED}`).toBeNull()
  expect(gateway.stderr(), `seed ${SEED}`).not.toContain('defect')
})
