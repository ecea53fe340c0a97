// bench/origins/udp-process.ts: sends every datagram back to where it came from.

import dgram from 'node:dgram'

const BUFFER_BYTES = 1_048_576 // so that bursts wait here and are not lost

const socket = dgram.createSocket({
  type: 'udp4',
  recvBufferSize: BUFFER_BYTES,
  sendBufferSize: BUFFER_BYTES,
})
socket.on('error', (error) => {
  process.stderr.write(`Error: ${error.message}\n`)
  process.exit(1)
})
socket.on('message', (bytes, from) => socket.send(bytes, from.port, from.address))
socket.bind({ port: Number(process.argv[2]), address: '127.0.0.1' })
