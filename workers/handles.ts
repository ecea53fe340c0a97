// workers/handles.ts: the parts of Node's stream handles that sockets use, with their types.
//
// Owner:  socket.ts, dial-socket.ts, what extends a socket (tls/secure-stream.ts), and udp/socket.ts; nobody else takes values. The handles
//         are those net.Socket itself uses in the Node version that package.json pins. Hot: constants and types only.

import type { Socket } from './socket.ts'

export interface Handle {
  socket: Socket | null
  onread: () => void
  readStart(): number
  readStop(): number
  useUserBuffer(buffer: Uint8Array): void
  writeLatin1String(request: object, text: string): number
  writeBuffer(request: object, bytes: Uint8Array): number
  writev(request: object, chunks: unknown[], allBuffers: boolean): number
  shutdown(request: object): number
  close(done?: () => void): void
  reset?(done?: () => void): number
  setNoDelay?(on: boolean): number
  setKeepAlive?(on: boolean, seconds: number): number
  getpeername?(out: { address?: string; port?: number }): number
  getsockname?(out: { address?: string; port?: number }): number
  connect(request: object, address: string, port?: number): number
  connect6?(request: object, address: string, port: number): number
  readonly writeQueueSize: number
}

export interface WriteRequest {
  socket: Socket | null
  bytes: Uint8Array | null // libuv holds a bare pointer: the memory lives as long as its write
  oncomplete: (status: number) => void
}

export interface ConnectRequest {
  socket: Socket | null
  address: string
  port: number
  oncomplete: (status: number) => void
}

interface StreamBinding {
  WriteWrap: new () => WriteRequest
  ShutdownWrap: new () => WriteRequest
  streamBaseState: Int32Array
  kReadBytesOrError: number
  kLastWriteWasAsync: number
}

interface HandleBinding {
  TCP: new (type: number) => Handle
  TCPConnectWrap: new () => ConnectRequest
  Pipe: new (type: number) => Handle
  PipeConnectWrap: new () => ConnectRequest
  constants: { SOCKET: number }
}

export const systemBinding = (process as unknown as { binding(name: string): unknown }).binding
const stream = systemBinding('stream_wrap') as StreamBinding
export const tcp = systemBinding('tcp_wrap') as HandleBinding
export const pipe = systemBinding('pipe_wrap') as HandleBinding
export const { WriteWrap } = stream
export const { ShutdownWrap, streamBaseState: state } = stream
export const READ = stream.kReadBytesOrError
export const WAS_ASYNC = stream.kLastWriteWasAsync

export const END_OF_FILE = -4095 // libuv's UV_EOF
