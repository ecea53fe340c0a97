// Rows 1 to 5: threads and processes that die, hang or are told to go.

import { startGateway, freePorts, routesTo } from '../../support/gateway.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { startSupervisor } from '../../support/supervisor.ts'
import { eventually } from '../../support/wait.ts'
import { StoodStill } from '../../support/stood-still.ts'
import { type FaultRow, finding } from '../contract.ts'
import { pause, startLedgerOrigin, startTraffic } from '../ledger.ts'
import { descriptors } from '../memory.ts'

const workerDies: FaultRow = {
  number: 1,
  name: 'A worker dies',
  accept: 'others serve on, it is replaced within 2 s, nothing leaks',
  smoke: true,
  run: async ({ full }) => {
    const origin = await startLedgerOrigin()
    const running = await startSupervisor(2, routesTo([origin.url]))
    const traffic = startTraffic({ port: running.port, perSecond: 100 })
    await pause(1000)
    const before = descriptors(process.pid)
    let slowest = 0
    const kills = full ? 20 : 3
    const still = new StoodStill() // the workers are threads of this process
    for (let i = 0; i < kills; i++) {
      const victim = running.worker(i % 2)
      const stillBefore = still.ms
      const from = performance.now()
      victim.end('ended by a fault')
      await running.until(
        'its successor',
        () => running.worker(i % 2) !== victim && running.worker(i % 2).listening,
        10_000,
      )
      const stood = still.ms - stillBefore
      slowest = Math.max(slowest, performance.now() - from - stood)
      await pause(5500) // a worker that dies young is started later each time
    }
    await traffic.stop()
    await eventually('descriptors to come back', () => descriptors(process.pid) < before + 40)
    const more = descriptors(process.pid) - before
    await running.stop()
    await origin.stop()
    const stood = still.ms / 1000
    still.stop()
    const failed = traffic.failures().length
    const refused = traffic.ended.filter(({ fault }) => fault.includes('ECONNREFUSED')).length
    return finding(
      slowest < 2000 && refused === 0 && failed <= kills * 20 + stood * 100, // what was due while all stood still comes at once
      `${kills} deaths: back in ${slowest.toFixed(0)} ms at the most; ${failed} of ${traffic.ended.length} failed, ${refused} refused; ${more} more descriptors`,
    )
  },
}

// Threads share a process, so killing "the supervisor" is killing all: whoever started it starts it again.
function processDies(number: number, signal: NodeJS.Signals, name: string): FaultRow {
  return {
    number,
    name,
    accept: 'started again it listens within 1 s',
    smoke: false,
    run: async () => {
      const origin = await startLedgerOrigin()
      const [port, admin] = await freePorts(2)
      const options = { routes: routesTo([origin.url]), ports: [port!, admin!] as const }
      const times: number[] = []
      for (let i = 0; i < 3; i++) {
        const gateway = await startGateway(options)
        gateway.child.kill(signal)
        await gateway.untilExit()
        const from = performance.now()
        const next = await startGateway({ ...options, waitReady: false })
        await eventually('an answer', () => answers(port!), 10_000)
        times.push(performance.now() - from)
        await next.stop()
      }
      await origin.stop()
      const median = times.toSorted((a, b) => a - b)[1]!
      return finding(
        median < 1000,
        `first answer ${median.toFixed(0)} ms after the start (median of 3)`,
      )
    },
  }
}

async function answers(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/`).then(
    ({ status }) => status === 200,
    () => false,
  )
}

const workerBlocks: FaultRow = {
  number: 4,
  name: 'The event loop of a worker is blocked',
  accept: 'it is found out and replaced; what the other worker serves is as fast as before',
  smoke: false,
  run: async () => {
    const origin = await startLedgerOrigin()
    const running = await startSupervisor(2, routesTo([origin.url]))
    const victim = running.worker(0)
    victim.post({ type: 'block', ms: 20_000 })
    const from = performance.now()
    const other: number[] = []
    while (running.worker(0) === victim && performance.now() - from < 12_000) {
      const asked = performance.now()
      const client = await connectRaw(running.port)
      client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
      const got = await client.readResponse(false, 300).catch(() => null)
      if (got !== null) other.push(performance.now() - asked)
      client.destroy()
    }
    const ms = performance.now() - from
    await running.until('its successor', () => running.worker(0).listening, 10_000)
    await running.stop()
    await origin.stop()
    const worst = other.toSorted((a, b) => a - b)[Math.floor(other.length * 0.99)] ?? Infinity
    return finding(
      ms < 8000 && worst < 250,
      `given up after ${ms.toFixed(0)} ms; ${other.length} requests by the other one, p99 ${worst.toFixed(1)} ms`,
    )
  },
}

const drains: FaultRow = {
  number: 5,
  name: 'SIGTERM under load',
  accept: 'no request that was accepted fails; the process ends within its grace',
  smoke: true,
  run: async () => {
    const origin = await startLedgerOrigin((_request, response) => {
      setTimeout(() => response.end('slow'), 50)
    })
    const gateway = await startGateway({ routes: routesTo([origin.url]), workers: 2 })
    const traffic = startTraffic({ port: gateway.port, perSecond: 150 })
    await pause(2000)
    const from = performance.now()
    gateway.child.kill('SIGTERM')
    await gateway.untilExit()
    const ms = performance.now() - from
    await traffic.stop()
    await origin.stop()
    const lost = traffic.ended.filter(({ status, fault, at }) => {
      return status === 0 && at < from && !fault.includes('ECONNREFUSED')
    })
    return finding(
      lost.length === 0 && gateway.exit?.code === 0 && ms < 10_000,
      `${lost.length} of those begun before it were lost; ended after ${ms.toFixed(0)} ms with ${gateway.exit?.code}`,
    )
  },
}

export const workerRows: readonly FaultRow[] = [
  workerDies,
  processDies(2, 'SIGSEGV', 'The process crashes'),
  processDies(3, 'SIGKILL', 'The supervisor is killed, and with it its threads'),
  workerBlocks,
  drains,
]
