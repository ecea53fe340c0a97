// workers/upstream/h2-listeners.ts: from the events of node:http2 to the stream that stands for an exchange.
//
// Owner:  nobody; one set of functions for all streams, so that no closure is made per request.
// Hot:    yes.
//
// node:http2 tells RST_STREAM(NO_ERROR) in the middle of a body as a plain end. Whether END_STREAM has come is
// therefore seen where node:http2 pushes the end into the readable half: see notePush.

import type { Buffer } from 'node:buffer'
import type { ClientHttp2Stream } from 'node:http2'
import { Readable } from 'node:stream'

export interface StreamOwner {
  sawEnd: boolean // END_STREAM has come
  onHead(fields: readonly string[], flags: number): void
  onBytes(bytes: Buffer): void
  onTrailers(fields: readonly string[]): void
  onEnd(): void
  onDrain(): void
  onWantTrailers(): void
  onClose(): void
  defect(defect: unknown): void // one of these threw
}

const kOwner = Symbol('owner')

interface OwnedStream extends ClientHttp2Stream {
  [kOwner]: StreamOwner
}

export function listen(of: ClientHttp2Stream, owner: StreamOwner): void {
  const stream = of as OwnedStream
  stream[kOwner] = owner
  stream.push = notePush
  stream.on('response', onResponse as never)
  stream.on('headers', onResponse as never)
  stream.on('trailers', onTrailers as never)
  stream.on('end', onEnd)
  stream.on('close', onClose)
  stream.on('drain', onDrain)
  stream.on('wantTrailers', onWantTrailers)
  stream.on('error', ignore) // 'close' follows and says all
}

export function beginBody(stream: ClientHttp2Stream): void {
  stream.on('data', onData)
}

const push = Readable.prototype.push

// END_STREAM is what pushes the end while the stream is not closed; a reset closes it first.
function notePush(this: OwnedStream, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (chunk === null && !this.closed) this[kOwner].sawEnd = true
  return push.call(this, chunk, encoding)
}

function onResponse(this: OwnedStream, _: unknown, flags: number, fields: string[]): void {
  const owner = this[kOwner]
  try {
    owner.onHead(fields, flags)
  } catch (defect) {
    owner.defect(defect)
  }
}

function onTrailers(this: OwnedStream, _: unknown, _flags: number, fields: string[]): void {
  this[kOwner].onTrailers(fields)
}

function onData(this: OwnedStream, bytes: Buffer): void {
  const owner = this[kOwner]
  try {
    owner.onBytes(bytes)
  } catch (defect) {
    owner.defect(defect)
  }
}

function onEnd(this: OwnedStream): void {
  const owner = this[kOwner]
  try {
    owner.onEnd()
  } catch (defect) {
    owner.defect(defect)
  }
}

function onClose(this: OwnedStream): void {
  const owner = this[kOwner]
  try {
    owner.onClose()
  } catch (defect) {
    owner.defect(defect)
  }
}

function onDrain(this: OwnedStream): void {
  const owner = this[kOwner]
  try {
    owner.onDrain()
  } catch (defect) {
    owner.defect(defect)
  }
}

function onWantTrailers(this: OwnedStream): void {
  this[kOwner].onWantTrailers()
}

function ignore(): void {}
