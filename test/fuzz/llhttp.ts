// test/fuzz/llhttp.ts: Node's own parser (llhttp, strict) behind the same plain value as codec.ts.
//
// It is reached through the binding that node:http uses, because node:http itself changes what it hands on
// (joins, drops and limits headers), and the bytes as llhttp read them are what is compared.

import type { Message } from './codec.ts'

interface Parser {
  initialize(type: number, resource: object, headerBytesMax: number, lenient: number): void
  execute(bytes: Buffer): number | (Error & { code: string; bytesParsed: number })
  finish(): undefined | (Error & { code: string })
  close(): void
  [callback: number]: unknown
}

interface Binding {
  HTTPParser: {
    new (): Parser
    REQUEST: number
    RESPONSE: number
    kOnHeaders: number
    kOnHeadersComplete: number
    kOnBody: number
    kOnMessageComplete: number
  }
  methods: string[]
  allMethods?: string[]
}

const bindingOf = (process as unknown as { binding(name: string): Binding }).binding
const { HTTPParser, methods, allMethods } = bindingOf('http_parser')
const methodNames = allMethods ?? methods

export const llhttpVersion = process.versions['llhttp'] ?? 'unknown'

export interface TheirReading {
  messages: Message[]
  error: string // llhttp's code, '' for none
  upgrade: boolean
}

function linesOf(flat: string[]): string[] {
  const lines: string[] = []
  for (let i = 0; i < flat.length; i += 2) lines.push(flat[i]!.toLowerCase() + ': ' + flat[i + 1]!)
  return lines
}

export function readWithLlhttp(ofRequests: boolean, bytes: Buffer): TheirReading {
  const parser = new HTTPParser()
  const reading: TheirReading = { messages: [], error: '', upgrade: false }
  let early: string[] = [] // headers (or trailers) that came before their callback
  let message: Message | null = null
  let start = ''
  parser.initialize(ofRequests ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {}, 256 * 1024, 0)
  parser[HTTPParser.kOnHeaders] = (headers: string[], url: string): void => {
    early = early.concat(headers)
    start += url
  }
  parser[HTTPParser.kOnHeadersComplete] = (
    _major: number,
    minor: number,
    headers: string[] | undefined,
    method: number,
    url: string | undefined,
    status: number,
    phrase: string,
    upgrade: boolean,
  ): number => {
    const first = ofRequests
      ? `${methodNames[method]} ${url ?? start} 1.${minor}`
      : `${status} 1.${minor} ${phrase}`
    message = {
      start: first,
      headers: linesOf(headers ?? early),
      facts: '',
      body: '',
      trailers: [],
      complete: false,
    }
    early = []
    start = ''
    reading.messages.push(message)
    // What node:http does: a server leaves HTTP when the client asked for it, a client on 101.
    if (!upgrade) return 0
    reading.upgrade = true
    return 2
  }
  parser[HTTPParser.kOnBody] = (chunk: Buffer): void => {
    message!.body += chunk.latin1Slice(0, chunk.length)
  }
  parser[HTTPParser.kOnMessageComplete] = (): void => {
    message!.complete = true
    message!.trailers = linesOf(early)
    early = []
    start = '' // with trailers the target is told a second time
  }
  const result = parser.execute(bytes)
  if (typeof result !== 'number') reading.error = result.code
  else if (!reading.upgrade) parser.finish() // ends a body that runs to the end of the connection
  parser.close()
  return reading
}

export function isKnownToLlhttp(method: string): boolean {
  return methodNames.includes(method)
}
