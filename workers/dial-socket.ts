// workers/dial-socket.ts: a socket to a server: TCP or unix.
//
// Owner:  whoever dials (upstream/dial.ts), of the socket from the first moment on. Hot: per connection to a server.

import { pipe, tcp } from './handles.ts'
import { Socket, type SocketOwner } from './socket.ts'

// Begins to connect; `done` is called once with 0 or a negative libuv code. The socket is the caller's at
// once and may be closed before that.
export function dialTcp(
  owner: SocketOwner | null,
  address: string,
  port: number,
  done: (socket: Socket, fault: number) => void,
): Socket {
  const handle = new tcp.TCP(tcp.constants.SOCKET)
  const socket = new Socket(handle, owner)
  socket.toServer = true
  const request = new tcp.TCPConnectWrap()
  request.socket = socket
  request.address = address
  request.port = port
  request.oncomplete = (fault: number) => done(socket, fault)
  const isV6 = address.includes(':')
  const fault = isV6
    ? handle.connect6!(request, address, port)
    : handle.connect(request, address, port)
  if (fault !== 0) process.nextTick(done, socket, fault)
  return socket
}

export function dialUnix(
  owner: SocketOwner | null,
  path: string,
  done: (socket: Socket, fault: number) => void,
): Socket {
  const handle = new pipe.Pipe(pipe.constants.SOCKET)
  const socket = new Socket(handle, owner)
  socket.toServer = true
  const request = new pipe.PipeConnectWrap()
  request.socket = socket
  request.address = path
  request.oncomplete = (fault: number) => done(socket, fault)
  // Newer handles return a code, older ones nothing; a bad path is then told by oncomplete.
  const fault = handle.connect(request, path) as number | undefined
  if (fault !== undefined && fault !== 0) process.nextTick(done, socket, fault)
  return socket
}
