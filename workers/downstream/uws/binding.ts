// workers/downstream/uws/binding.ts: the parts of uWebSockets.js that the engine uses, and how it is loaded.
//
// Nothing outside this folder knows the package; a newer build comes by changing the alias in package.json.
// It is loaded when the first entry point asks for it, because its binary costs memory and refuses Node
// versions that the rest of Sluice runs on. Hot: no.

import type { UwsDownstream } from './downstream.ts'

export interface HttpRequest {
  getCaseSensitiveMethod(): string
  getUrl(): string // raw, without the query
  getQuery(): string | undefined // undefined: there was no "?"
  forEach(take: (name: string, value: string) => void): void // names in lower case
}

// After the end of a response or an abort every call throws.
export interface HttpResponse {
  onAborted(handler: () => void): unknown
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): unknown
  onWritable(handler: (offset: number) => boolean): unknown
  getRemoteAddress(): ArrayBuffer // 4 or 16 bytes
  getWriteOffset(): number
  cork(write: () => void): unknown
  writeStatus(status: string | Uint8Array): unknown
  write(chunk: Uint8Array): boolean
  tryEnd(chunk: string | Uint8Array, total: number): [ok: boolean, done: boolean]
  end(body?: string | Uint8Array, closeConnection?: boolean): unknown
  endWithoutBody(): unknown
  close(): unknown
  pause(): unknown
  resume(): unknown
  upgrade(
    userData: { downstream: UwsDownstream },
    key: string,
    protocol: string,
    extensions: string,
    context: SocketContext,
  ): unknown
}

export type ListenSocket = object
export type SocketContext = object // of a request that may be upgraded

// After its close handler was called every call throws; end() and close() call it before they return.
export interface WebSocket {
  readonly downstream: UwsDownstream // given to upgrade()
  send(message: Uint8Array, isBinary: boolean, compress: boolean): number
  sendFirstFragment(piece: Uint8Array, isBinary: boolean, compress: boolean): number
  sendFragment(piece: Uint8Array, compress: boolean): number
  sendLastFragment(piece: Uint8Array, compress: boolean): number
  ping(payload: Uint8Array): number
  end(code?: number, reason?: Uint8Array): void
  close(): void
  getBufferedAmount(): number
}

export interface WebSocketBehavior {
  readonly compression: number
  readonly maxPayloadLength: number
  readonly maxBackpressure: number // 0: nothing is dropped
  readonly idleTimeout: number // seconds
  readonly sendPingsAutomatically: boolean
  upgrade(response: HttpResponse, request: HttpRequest, context: SocketContext): void
  open(ws: WebSocket): void
  message(ws: WebSocket, message: ArrayBuffer, isBinary: boolean): void
  ping(ws: WebSocket, payload: ArrayBuffer): void
  pong(ws: WebSocket, payload: ArrayBuffer): void
  drain(ws: WebSocket): void
  close(ws: WebSocket, code: number, reason: ArrayBuffer): void
}

export interface App {
  get(pattern: string, handler: (response: HttpResponse, request: HttpRequest) => void): unknown
  any(pattern: string, handler: (response: HttpResponse, request: HttpRequest) => void): unknown
  ws(pattern: string, behavior: WebSocketBehavior): unknown
  filter(handler: (response: HttpResponse, change: number) => void): unknown
  listen(host: string, port: number, done: (socket: ListenSocket | false) => void): unknown
  listen(port: number, done: (socket: ListenSocket | false) => void): unknown
  close(): unknown
}

// Of an app with TLS.
export interface SecureApp extends App {
  // Synchronous, in a handshake: a name that is added here is found by the same handshake.
  missingServerName(handler: (name: string) => void): unknown
  addServerName(pattern: string, options: SecureOptions): unknown
  removeServerName(pattern: string): unknown // with its routes, whoever uses them
  domain(pattern: string): unknown // what is routed from here on is that name's; prints two lines on stdout
  getDescriptor(): object
  addChildAppDescriptor(child: object): unknown // takes the connections that the app accepts, from now on
  removeChildAppDescriptor(child: object): unknown
}

export interface SecureOptions {
  readonly cert_file_name?: string
  readonly key_file_name?: string
  readonly ssl_ciphers?: string // of TLS 1.2
}

export interface Uws {
  App(): App
  SSLApp(options: SecureOptions): SecureApp // throws "App construction failed" when a file is no good
  readonly SHARED_COMPRESSOR: number
  readonly SHARED_DECOMPRESSOR: number
  us_listen_socket_close(socket: ListenSocket): void
  _cfg(setting: string): void
}

const HEADERS_SIZE = 'UWS_HTTP_MAX_HEADERS_SIZE'

// The main thread calls it before it starts a worker: the binary reads the real environment once, when it is
// loaded, and a worker's process.env is a copy. `headBytesMax` is the largest of all uws entry points; the
// margin lets the engine see a head that is too large by a little and answer 431 itself.
export function prepareUws(headBytesMax: number): void {
  process.env[HEADERS_SIZE] = String(headBytesMax + 4096)
}

let loaded: Promise<Uws> | null = null

export function loadUws(): Promise<Uws> {
  loaded ??= load()
  return loaded
}

async function load(): Promise<Uws> {
  const module: unknown = await import('uWebSockets.js')
  const uws = module as Uws
  uws['_cfg']('silent') // no "uWebSockets: 20" in each response
  return uws
}
