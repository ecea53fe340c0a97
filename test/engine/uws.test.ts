// The engine contract, kept by the `uws` engine, but for what uWebSockets.js can't do. docs/engines.md says more
// about each.

import { describe } from 'vitest'
import { engineSuite } from './suite.ts'

const pipelining =
  'uWebSockets.js closes a connection that sends a request while one is being answered'
const before = 'uWebSockets.js answers this before the engine sees the request'
const chunks = 'uWebSockets.js decodes chunks itself, laxly; such a request ends its connection'
const times = 'its timeouts are compiled in (config refuses others)'

describe('engine uws', () =>
  engineSuite('uws', {
    'answers pipelined requests in order': pipelining,
    'takes a head that arrives byte by byte':
      'uWebSockets.js answers 505 when a read ends within " HTTP/1.1" of the request line',
    'lets the server refuse a body that was only announced': before + ' (100)',
    'passes 103 on before the final answer': 'it has no way to send 103',
    'serves HTTP/1.0: closes unless asked to keep, and never sends chunks': before + ' (505)',
    'serves the absolute form and sends its host': before + ' (505)',
    'answers a client that has half-closed': 'uWebSockets.js takes a half-close for an abort',
    'relays an upgrade untouched, and nothing before the server has agreed':
      'relays WebSockets as messages (test/behaviour/websocket), and refuses other upgrades with 501',
    'keeps the connection after a chunked request': chunks,
    'reads chunk extensions as extensions': chunks,
    'passes request trailers': 'it would take them for a request; the connection is closed instead',
    'passes response trailers': 'it has no way to send them; they are dropped',
    'refuses an empty header name': 'uWebSockets.js hides that line and all after it',
    'answers 414 to a request line that is too large': before + ' (431)',
    'answers 408 to a head that is not complete in time': times,
    'closes a connection that sends no request': times,
    'gives up on a request body that stalls, and the server does not take it for whole': times,
    'does not give up on a request body that is slow but moves': times,
    'gives up on a client that does not read': times,
  }))
