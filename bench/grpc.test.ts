import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { MESSAGE_BYTES, callOnce, framed } from './grpc.ts'

// Answers every call by `answer`; ends with its test.
async function startServer(answer: (stream: http2.ServerHttp2Stream) => void): Promise<number> {
  const server = http2.createServer()
  server.on('stream', answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

test('A message is framed by a flag and its length in four bytes.', () => {
  const frame = framed(300)
  expect([...frame.subarray(0, 5)]).toEqual([0, 0, 0, 1, 44])
  expect(frame.length).toBe(305)
})

test('A call ends with the status of its trailers and the bytes of its answer.', async () => {
  const port = await startServer((stream) => {
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    stream.end(framed(MESSAGE_BYTES))
  })
  expect(await callOnce(port, false)).toEqual({ status: '0', bytes: MESSAGE_BYTES + 5 })
})

test('A call refused by trailers only is told from one that was answered.', async () => {
  const port = await startServer((stream) =>
    stream.respond({ ':status': 200, 'grpc-status': '14' }, { endStream: true }),
  )
  expect(await callOnce(port, false)).toEqual({ status: '14', bytes: 0 })
})

test('A call that nobody listens for fails.', async () => {
  await expect(callOnce(1, false)).rejects.toThrow('ECONNREFUSED')
})
