// admin/reply.ts: what an admin request is answered with, before anybody writes it to a socket. Hot: no.

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export function jsonReply(value: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  const body = JSON.stringify(value)
  return { status: 200, headers: { 'Content-Type': 'application/json', ...headers }, body }
}

export function errorReply(
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  const body = JSON.stringify({ message })
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body }
}
