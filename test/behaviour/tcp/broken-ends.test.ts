// A stream that is broken off must not look like one that has ended.

import { expect, test } from 'vitest'
import { WRITE_TIMEOUT } from '../../../core/errors.ts'
import { Socket } from '../../../workers/socket.ts'
import { clientOf, relayTo, serverOf, untilNothingIsLeft } from '../../support/tcp-scene.ts'
import { eventually } from '../../support/wait.ts'

interface Relay {
  readonly client: { readonly socket: Socket; readonly held: boolean }
}

test('a client that does not read the last bytes of a server that has ended is reset', async () => {
  const server = await serverOf()
  const worker = await relayTo(server, {}, { times: { writeStallTimeoutMs: 1000 } })
  const client = await clientOf(worker)
  client.socket.pause()
  const behind = await server.next()
  const [relay] = worker.context.sweeper.membersOf(worker.point) as unknown as Relay[]
  const { socket } = relay!.client
  // Short pieces are copied, so that the server is read on while some wait, to its end.
  while (socket.held === 0) {
    behind.send(Buffer.alloc(4096))
    await new Promise((resolve) => setImmediate(resolve))
  }
  behind.end()
  await eventually('the end of the server', () => socket.writeEnded)
  const { handle } = socket as unknown as { handle: { reset(): number } }
  const answers: number[] = []
  const reset = handle.reset.bind(handle)
  handle.reset = () => {
    answers.push(reset())
    return answers[0]!
  }
  await eventually('the relay to give up', () => worker.errors(WRITE_TIMEOUT) === 1)
  await untilNothingIsLeft(worker)
  expect(answers).toEqual([0])
})
