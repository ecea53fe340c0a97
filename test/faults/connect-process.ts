// test/faults/connect-process.ts: one new connection after the other, by a process that holds none: beside 14,000 sockets its
// own collector would be measured.
//
// Arguments: port, how many. Tells its parent the p99 in milliseconds.

import { connectRaw } from '../support/raw-client.ts'

const [port = 0, count = 0] = process.argv.slice(2).map(Number)
const times: number[] = []
for (let i = 0; i < count; i++) {
  const begun = performance.now()
  const client = await connectRaw(port)
  client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await client.readResponse()
  times.push(performance.now() - begun)
  client.destroy()
}
times.sort((a, b) => a - b)
process.send?.({ p99: times[Math.floor(count * 0.99)] })
process.disconnect()
