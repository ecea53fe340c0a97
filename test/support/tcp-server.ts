// test/support/tcp-server.ts: a server that keeps its connections for the test to look at and to speak through.

import net, { type AddressInfo } from 'node:net'
import { RawClient } from './raw-client.ts'
import { Wait } from './wait.ts'

export interface TcpServer {
  readonly port: number
  readonly accepted: RawClient[] // in the order in which they came
  // The next connection that was not asked for before.
  next(): Promise<RawClient>
  close(): Promise<void>
}

export async function startTcpServer(answer?: (socket: net.Socket) => void): Promise<TcpServer> {
  const wait = new Wait()
  const accepted: RawClient[] = []
  let given = 0
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(new RawClient(socket))
    answer?.(socket)
    wait.look()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    accepted,
    next: async () => {
      const index = given++
      await wait.until(
        () => accepted.length > index,
        () => `connection ${index + 1} of a server`,
      )
      return accepted[index]!
    },
    close: async () => {
      for (const client of accepted) client.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

// Sends back what it gets, and ends when the client does.
export function echo(socket: net.Socket): void {
  socket.on('error', () => {})
  socket.pipe(socket)
}
