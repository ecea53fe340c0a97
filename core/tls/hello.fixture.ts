// core/tls/hello.fixture.ts: ClientHello messages for tests, byte by byte, right ones and wrong ones.

export interface HelloParts {
  readonly names?: readonly (string | Uint8Array)[] // one server_name extension for each
  readonly alpn?: readonly string[]
  readonly versions?: readonly number[]
  readonly extra?: readonly (readonly [number, readonly number[]])[] // further extensions
  readonly suites?: readonly number[]
}

export function u16(value: number): number[] {
  return [(value >> 8) & 255, value & 255]
}

export function textBytes(text: string): number[] {
  return Array.from(text, (c) => c.charCodeAt(0))
}

function extension(kind: number, body: readonly number[]): number[] {
  return [...u16(kind), ...u16(body.length), ...body]
}

export function sniBody(name: string | Uint8Array): number[] {
  const bytes = typeof name === 'string' ? textBytes(name) : [...name]
  return [...u16(bytes.length + 3), 0, ...u16(bytes.length), ...bytes]
}

export function alpnBody(protocols: readonly string[]): number[] {
  const list = protocols.flatMap((p) => [p.length, ...textBytes(p)])
  return [...u16(list.length), ...list]
}

// The handshake message, without records.
export function helloMessage(parts: HelloParts): Uint8Array {
  const extensions = [
    ...(parts.names ?? []).flatMap((name) => extension(0, sniBody(name))),
    ...(parts.alpn === undefined ? [] : extension(16, alpnBody(parts.alpn))),
    ...(parts.versions === undefined
      ? []
      : extension(43, [parts.versions.length * 2, ...parts.versions.flatMap(u16)])),
    ...(parts.extra ?? []).flatMap(([kind, body]) => extension(kind, body)),
  ]
  const suites = (parts.suites ?? [0x1301, 0xc02f]).flatMap(u16)
  const body = [
    ...u16(0x0303),
    ...Array.from({ length: 32 }, (_, i) => i),
    0, // session id
    ...u16(suites.length),
    ...suites,
    1,
    0,
    ...(extensions.length === 0 ? [] : [...u16(extensions.length), ...extensions]),
  ]
  return Uint8Array.from([1, body.length >> 16, ...u16(body.length & 0xffff), ...body])
}

// The message in records of at most `size` bytes each.
export function recordsOf(message: Uint8Array, size = 16_384): Uint8Array {
  const out: number[] = []
  for (let at = 0; at < message.length; at += size) {
    const piece = message.subarray(at, at + size)
    out.push(22, 3, 1, ...u16(piece.length), ...piece)
  }
  return Uint8Array.from(out)
}

export function helloOf(parts: HelloParts): Uint8Array {
  return recordsOf(helloMessage(parts))
}
