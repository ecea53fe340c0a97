// test/conformance/traefik/cases/protocol.ts: what a request and a response become on their way, without any middleware.

import { responseText } from '../../../support/scene.ts'
import { type Reply, hangUp } from '../origins.ts'
import { type Case, ask, get, trustedGet } from '../pair.ts'

const raw =
  (text: string): Reply =>
  () =>
    text

const forwarded = [
  'X-Forwarded-For: 192.0.2.1',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: edge.test',
  'X-Forwarded-Port: 443',
  'X-Forwarded-Server: edge',
  'X-Forwarded-Uri: /edge',
  'X-Forwarded-Method: POST',
  'X-Forwarded-Prefix: /edge',
  'X-Forwarded-Tls-Client-Cert: x',
  'X-Forwarded-Tls-Client-Cert-Info: x',
  'X-Real-Ip: 192.0.2.9',
  'Forwarded: for=192.0.2.1',
]

const answering = (reply: string, method = 'GET', headers: readonly string[] = []) =>
  ask(method, '/', headers, { reply: raw(reply) })

const head = (headers: string, status = '200 OK') => `HTTP/1.1 ${status}\r\n${headers}\r\n`

export const protocolCases: readonly Case[] = [
  {
    name: 'forwarding',
    asks: [
      get('/'),
      ask('GET', '/', [], { isBare: true }),
      get('/', ...forwarded),
      trustedGet('/', ...forwarded),
      trustedGet('/', 'X-Forwarded-For: 192.0.2.1, 198.51.100.1', 'X-Forwarded-For: 203.0.113.1'),
      trustedGet('/', 'X-Forwarded-For: nonsense'),
      trustedGet('/', 'X-Forwarded-Proto: wss'),
      get('/', 'Host: forwarding.test:8080'),
      get('/', 'Host: FORWARDING.test'),
      get('/', 'X_Forwarded_For: 192.0.2.1', 'X_Real_Ip: 192.0.2.1'),
      get('/', 'X_Mine: 1'),
      ask('GET', '/', [], { from: '127.0.0.9' }),
    ],
  },
  {
    name: 'requests',
    asks: [
      get(
        '/',
        'X-Mine: a',
        'X-Mine: b',
        'Cookie: a=b',
        'Cookie: c=d',
        'Accept: */*',
        'accept: x/y',
      ),
      get('/', 'User-Agent: mine/1'),
      get('/', 'Accept-Encoding: br'),
      get('/', 'Via: 1.1 edge', 'Max-Forwards: 3', 'Date: x', 'Server: x'),
      get('/', 'X-Empty:'),
      get('/', 'X-Odd: caf\xe9'),
      get('/', 'X-Odd: a\tb'),
      get('/', 'Connection: close'),
      get('/', 'Connection: keep-alive, X-Hop', 'X-Hop: 1', 'Keep-Alive: timeout=5'),
      get('/', 'Connection: X-Forwarded-For, X-Real-Ip'),
      get('/', 'Proxy-Connection: keep-alive', 'Proxy-Authorization: x', 'Proxy-Authenticate: y'),
      get('/', 'TE: trailers', 'Trailer: X-T'),
      get('/', 'TE: trailers, deflate', 'Connection: TE'),
      get('/', 'Upgrade: h2c', 'Connection: Upgrade'),
      get('/', 'Upgrade: websocket'),
      ask('POST', '/'),
      ask('POST', '/', ['Content-Length: 0']),
      ask('POST', '/', [], { body: 'abc' }),
      ask('POST', '/', ['Content-Length: 3', 'Content-Length: 3'], { body: 'abc' }),
      ask('POST', '/', ['Content-Length: 3', 'Transfer-Encoding: chunked'], { body: '0\r\n\r\n' }),
      ask('POST', '/', ['Content-Length: +3'], { body: 'abc' }),
      ask('GET', '/', [], { body: 'abc' }),
      ask('DELETE', '/', [], { body: 'abc' }),
      ask('POST', '/', ['Transfer-Encoding: chunked'], {
        body: '3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n',
      }),
      ask('POST', '/', ['Transfer-Encoding: chunked', 'Trailer: X-T'], {
        body: '3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n',
      }),
      ask('POST', '/', ['Transfer-Encoding: gzip, chunked'], { body: '0\r\n\r\n' }),
      ask('POST', '/', ['Transfer-Encoding: chunked'], { body: 'zz\r\n' }),
      ask('POST', '/', ['Expect: 100-continue'], { body: 'abc' }),
      ask('POST', '/', ['Expect: something'], { body: 'abc' }),
      ask('HEAD', '/'),
      ask('OPTIONS', '/'),
      ask('OPTIONS', '*'),
      ask('TRACE', '/'),
      ask('PATCH', '/', [], { body: 'x' }),
      ask('FOO', '/'),
      ask('G@T', '/'),
      ask('CONNECT', 'requests.test:80'),
    ],
  },
  {
    name: 'malformed',
    asks: [
      get('/', 'X Bad: 1'),
      get('/', 'X-Bad : 1'),
      get('/', ': empty'),
      get('/', 'no colon'),
      get('/', 'X-Bad: a\0b'),
      get('/', 'X-Fold: a\r\n b'),
      get('/', 'Host: malformed.test', 'Host: malformed.test'),
      get('/', 'Host: malformed.test', 'Host: other.test'),
      get('/', 'Host: mal formed.test'),
      get('/', 'Host: malformed.test/x'),
      get('/', 'Host: user@malformed.test'),
      get('/', 'Host: malformed.test:port'),
      get('/', `X-Long: ${'x'.repeat(70_000)}`),
      get(`/${'x'.repeat(70_000)}`),
      get('/', ...Array.from({ length: 200 }, (_, index) => `X-${index}: 1`)),
    ],
  },
  {
    name: 'responses',
    asks: [
      answering(responseText('ok', 'Server: theirs\r\nVia: 1.1 them\r\nX-Own: a\r\nX-Own: b\r\n')),
      answering(responseText('ok', 'Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n')),
      answering(responseText('ok', '', '200 Fine By Me')),
      answering(responseText('ok', '', '299 Own')),
      answering(responseText('ok', '', '599 Own')),
      answering(responseText('ok', '', '600 Own')),
      answering(responseText('ok', '', '999 Own')),
      answering(head('', '204 No Content')),
      answering(head('Content-Length: 0\r\n', '204 No Content')),
      answering(head('ETag: "a"\r\n', '304 Not Modified')),
      answering(head('Content-Length: 10\r\n'), 'HEAD'),
      answering(head(''), 'HEAD'),
      answering(head('Content-Length: 0\r\n')),
      answering(head('Connection: close\r\n') + 'until the end'),
      answering(head('Transfer-Encoding: chunked\r\n') + '3\r\nabc\r\n0\r\n\r\n'),
      answering(
        head('Transfer-Encoding: chunked\r\nTrailer: X-T\r\n') + '3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n',
        'GET',
        ['TE: trailers'],
      ),
      answering(head('Transfer-Encoding: chunked\r\n') + '3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n'),
      answering(responseText('ok', 'Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=3\r\n')),
      answering(responseText('ok', 'Proxy-Authenticate: x\r\nUpgrade: h2c\r\n')),
      answering(responseText('ok', 'X-Odd: caf\xe9\r\nX-Empty:\r\n')),
      answering(responseText('moved', 'Location: /else\r\n', '302 Found')),
      answering(responseText('no', 'WWW-Authenticate: Basic realm="x"\r\n', '401 Unauthorized')),
      answering(head('', '103 Early Hints\r\nLink: </a>; rel=preload') + responseText('ok')),
      answering(head('', '102 Processing') + responseText('ok')),
    ],
  },
  {
    name: 'bad-responses',
    asks: [
      answering('nonsense\r\n\r\n'),
      answering('HTTP/1.1 abc\r\n\r\n'),
      answering('HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'),
      answering(head('Content-Length: 1\r\nContent-Length: 2\r\n') + 'xx'),
      answering(head('Content-Length: x\r\n')),
      answering(head('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n') + '0\r\n\r\n'),
      answering(head('X Bad: 1\r\nContent-Length: 0\r\n')),
      answering(head('Connection: close\r\nContent-Length: 100\r\n') + 'short'),
      answering(head('Transfer-Encoding: chunked\r\n') + 'zz\r\n'),
      answering('HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'),
      ask('GET', '/', [], { reply: hangUp }),
      ask('POST', '/', [], { body: 'abc', reply: hangUp }),
    ],
  },
]
