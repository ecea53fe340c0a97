// Rows 16, 17, 20, 30 and 36: what clients do.

import { spawnSync } from 'node:child_process'
import net from 'node:net'
import { startGateway, routesTo } from '../../support/gateway.ts'
import { startHttpOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'
import { StoodStill } from '../../support/stood-still.ts'
import { type FaultRow, finding } from '../contract.ts'
import { pause, startLedgerOrigin } from '../ledger.ts'
import { cpuSeconds, residentMiB } from '../memory.ts'

const halfCloses: FaultRow = {
  number: 16,
  name: 'A client half-closes after its request',
  accept: 'it gets its answer',
  smoke: true,
  run: async () => {
    const origin = await startLedgerOrigin((_request, response) => {
      setTimeout(() => response.end('late'), 50)
    })
    const gateway = await startGateway({ routes: routesTo([origin.url]) })
    let whole = 0
    for (let i = 0; i < 20; i++) {
      const client = await connectRaw(gateway.port)
      client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n').end()
      await client.untilEnded()
      if (client.received.endsWith('late')) whole++
      client.destroy()
    }
    await gateway.stop()
    await origin.stop()
    return finding(whole === 20, `${whole} of 20 answered`)
  },
}

const MIB = 1024 * 1024

const slowReaders: FaultRow = {
  number: 17,
  name: 'Clients that hardly read a large answer',
  accept: 'at the most 256 KiB each; the server is paused',
  smoke: false,
  run: async ({ full }) => {
    const count = full ? 1000 : 100
    let sent = 0
    const piece = Buffer.alloc(64 * 1024, 'x')
    const origin = await startHttpOrigin((_request, response) => {
      response.writeHead(200, { 'Content-Length': 1024 * MIB })
      const more = (): void => {
        do sent += piece.length
        while (response.write(piece))
        response.once('drain', more)
      }
      response.on('error', () => undefined)
      more()
    })
    const gateway = await startGateway({ routes: routesTo([origin.url]) })
    const before = residentMiB(gateway.child.pid!)
    const clients: net.Socket[] = []
    for (let i = 0; i < count; i++) {
      const socket = net.connect({ port: gateway.port, host: '127.0.0.1' })
      socket.on('error', () => undefined)
      socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
      socket.pause()
      clients.push(socket)
    }
    // Buffers of the kernel fill first: 2.5 MiB of each client.
    let taken = -1
    const isPaused = async (): Promise<boolean> => {
      taken = sent
      await pause(1000)
      return sent === taken
    }
    await eventually('the server to be paused', isPaused, 30_000)
    await pause(3000)
    const more = (residentMiB(gateway.child.pid!) - before) * 1024
    const still = (sent - taken) / MIB
    for (const socket of clients) socket.destroy()
    await gateway.stop()
    await origin.stop()
    const each = more / count
    return finding(
      each <= 256 && still < 16,
      `${count} clients: ${each.toFixed(0)} KiB each; ${still.toFixed(1)} MiB more from the server in 3 s`,
    )
  },
}

const noDescriptors: FaultRow = {
  number: 20,
  name: 'The process has no descriptors left',
  accept:
    'no spinning, those that are there are served, it recovers by itself, one line of log a second',
  smoke: true,
  missing: () => (spawnSync('prlimit', ['--version']).error ? 'prlimit is not installed' : ''),
  run: async () => {
    const origin = await startLedgerOrigin()
    const gateway = await startGateway({ routes: routesTo([origin.url]) })
    const pid = gateway.child.pid!
    const good = await connectRaw(gateway.port)
    good.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    await good.readResponse()
    spawnSync('prlimit', [`--pid=${pid}`, '--nofile=256:256'])
    const lines = gateway.stderr().split('\n').length
    const clients: net.Socket[] = []
    for (let i = 0; i < 500; i++) {
      const socket = net.connect({ port: gateway.port, host: '127.0.0.1' })
      socket.on('error', () => undefined)
      clients.push(socket)
    }
    await pause(500)
    const cpu = cpuSeconds(pid)
    await pause(3000)
    const busy = ((cpuSeconds(pid) - cpu) / 3) * 100
    good.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    const { status } = await good.readResponse()
    const said = gateway.stderr().split('\n').length - lines
    for (const socket of clients) socket.destroy()
    const still = new StoodStill()
    const from = performance.now()
    await eventually('it to recover', () => isServed(gateway.port), 10_000)
    const ms = performance.now() - from - still.ms
    still.stop()
    good.destroy()
    await gateway.stop()
    await origin.stop()
    return finding(
      busy < 20 && status === 200 && ms < 1000 && said <= 10,
      `${busy.toFixed(0)} % CPU, kept connection ${status}, ${said} lines; serves again after ${ms.toFixed(0)} ms`,
    )
  },
}

async function isServed(port: number): Promise<boolean> {
  let client: RawClient | null = null
  try {
    client = await connectRaw(port)
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
    return (await client.readResponse(false, 500)).status === 200
  } catch {
    return false
  } finally {
    client?.destroy()
  }
}

const headBombs: FaultRow = {
  number: 30,
  name: 'Heads without end',
  accept: '431 or 400, closed; memory stays',
  smoke: true,
  run: async () => {
    const origin = await startLedgerOrigin()
    const gateway = await startGateway({ routes: routesTo([origin.url]) })
    const before = residentMiB(gateway.child.pid!)
    const bombs = [
      'X: 1\r\n'.repeat(1_000_000),
      `X: ${'a'.repeat(10 * MIB)}\r\n`,
      `Cookie: ${'c=1; '.repeat(13_000)}\r\n`.repeat(100),
      `${'n'.repeat(10 * MIB)}: 1\r\n`,
    ]
    const statuses: number[] = []
    for (const bomb of bombs) {
      for (let i = 0; i < 5; i++) {
        const client = await connectRaw(gateway.port)
        client.send(`GET / HTTP/1.1\r\nHost: a.test\r\n${bomb}\r\n`)
        await client.untilEnded(10_000)
        statuses.push(Number(client.received.slice(9, 12)))
        client.destroy()
      }
    }
    const more = residentMiB(gateway.child.pid!) - before
    await gateway.stop()
    await origin.stop()
    // A client that is still sending may find its connection reset before it has read the answer.
    const refused = statuses.every((status) => [431, 400, 0].includes(status))
    const said = statuses.filter((status) => status === 431).length
    return finding(
      refused && said > 0 && more < 64,
      `431 was read ${said} times of ${statuses.length}, closed else; +${more.toFixed(0)} MiB`,
    )
  },
}

const smallPieces: FaultRow = {
  number: 36,
  name: 'Everything in segments of one byte',
  accept: 'the same answers as for whole writes',
  smoke: true,
  run: async () => {
    const origin = await startLedgerOrigin()
    const gateway = await startGateway({ routes: routesTo([origin.url]) })
    const requests = [
      'GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n',
      'POST /b HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello',
      'POST /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a.test\r\n: x\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\ng\r\n',
      'nonsense\r\n\r\n',
    ]
    let same = 0
    for (const text of requests) {
      if (
        (await answerTo(gateway.port, text, false)) === (await answerTo(gateway.port, text, true))
      )
        same++
    }
    await gateway.stop()
    await origin.stop()
    return finding(same === requests.length, `${same} of ${requests.length} the same`)
  },
}

async function answerTo(port: number, text: string, byLetters: boolean): Promise<string> {
  const client = await connectRaw(port)
  const letters = byLetters ? [...text] : [text]
  for (const letter of letters) {
    client.send(letter)
    if (byLetters) await new Promise((resolve) => setImmediate(resolve))
  }
  await client.untilEnded()
  const answer = client.received.replace(/^Date: .*\r\n/m, '')
  client.destroy()
  return answer
}

export const clientRows: readonly FaultRow[] = [
  halfCloses,
  slowReaders,
  noDescriptors,
  headBombs,
  smallPieces,
]
