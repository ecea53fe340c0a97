// test/support/grpc.ts: a service of the four kinds of gRPC calls, its server and its client, without a .proto file:
// messages are plain bytes.

import * as grpc from '@grpc/grpc-js'

const same = (bytes: Buffer): Buffer => bytes

function method(name: string, requestStream: boolean, responseStream: boolean) {
  return {
    path: `/test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  }
}

export const echoService = {
  Unary: method('Unary', false, false),
  Download: method('Download', false, true),
  Upload: method('Upload', true, false),
  Chat: method('Chat', true, true),
}

export const EchoClient = grpc.makeGenericClientConstructor(echoService, 'Echo')

export interface EchoServer {
  readonly port: number
  readonly cancelled: string[] // methods whose client went away
  readonly deadlines: (Date | number)[]
  stop(): void
}

// Unary: answers 'fail' with NOT_FOUND, 'hang' never, anything else by itself. Download: as many messages as asked.
// Upload: the count of messages and bytes. Chat: each message as it comes.
export async function startEchoServer(
  credentials: grpc.ServerCredentials = grpc.ServerCredentials.createInsecure(),
): Promise<EchoServer> {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': -1 })
  const cancelled: string[] = []
  const deadlines: (Date | number)[] = []
  server.addService(echoService, {
    Unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      call.on('cancelled', () => cancelled.push('Unary'))
      deadlines.push(call.getDeadline())
      const text = call.request.toString()
      if (text === 'hang') return
      const trailers = new grpc.Metadata()
      trailers.set('x-trailer', 'at the end')
      if (text === 'fail') {
        done({ code: grpc.status.NOT_FOUND, details: 'no such thing: 50 %', metadata: trailers })
      } else done(null, call.request, trailers)
    },
    Download: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      call.on('cancelled', () => cancelled.push('Download'))
      const count = Number(call.request.toString())
      for (let i = 0; i < count; i++) call.write(Buffer.from(`message ${i}`))
      if (count >= 0) call.end()
    },
    Upload: (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      let [count, bytes] = [0, 0]
      call.on('data', (message: Buffer) => {
        count++
        bytes += message.length
      })
      call.on('end', () => done(null, Buffer.from(`${count} ${bytes}`)))
    },
    Chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.on('cancelled', () => cancelled.push('Chat'))
      call.on('data', (message: Buffer) =>
        call.write(Buffer.concat([Buffer.from('re: '), message])),
      )
      call.on('end', () => call.end())
    },
  } as unknown as grpc.UntypedServiceImplementation)
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (fault, at) =>
      fault === null ? resolve(at) : reject(fault),
    ),
  )
  return { port, cancelled, deadlines, stop: () => server.forceShutdown() }
}
