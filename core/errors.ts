// core/errors.ts: every operating error that a request can meet, in one table.
//
// The code is stable: it appears in the access log (`SluiceError`), in the metric
// sluice_errors_total{code}, in the response header of local answers (`Sluice-Error`, when the entry
// point asks for it) and in docs/errors.md, which a test compares with this table.
// Codes are small integers on the hot path; `errorNames[code]` is the word users see.
//
// Side says whose doing it was: the client's, the server's (upstream), or ours.

export type Side = 'client' | 'upstream' | 'gateway'

export interface ErrorFact {
  readonly name: string
  readonly status: number
  readonly side: Side
  readonly sentence: string
}

const table: ErrorFact[] = []

function define(name: string, status: number, side: Side, sentence: string): number {
  table.push({ name, status, side, sentence })
  return table.length - 1
}

export const NONE = define('NONE', 0, 'gateway', 'Nothing went wrong.')

// Request head (core/h1/request.ts). Status 400 unless a more exact one exists.
export const REQUEST_METHOD = define('REQUEST_METHOD', 400, 'client', 'The method is not a token.')
export const REQUEST_TARGET = define(
  'REQUEST_TARGET',
  400,
  'client',
  'The request target holds a byte outside visible ASCII, or has no legal form.',
)
export const REQUEST_FRAGMENT = define(
  'REQUEST_FRAGMENT',
  400,
  'client',
  'The request target holds a raw "#".',
)
export const REQUEST_VERSION = define(
  'REQUEST_VERSION',
  505,
  'client',
  'The protocol version is not HTTP/1.0 or HTTP/1.1.',
)
export const REQUEST_LINE = define('REQUEST_LINE', 400, 'client', 'The request line is malformed.')
export const REQUEST_LINE_END = define(
  'REQUEST_LINE_END',
  400,
  'client',
  'A line does not end in CR LF.',
)
export const HEADER_NAME = define(
  'HEADER_NAME',
  400,
  'client',
  'A header name is empty, not a token, followed by a space, or a framing header spelled with "_" or ".".',
)
export const HEADER_VALUE = define(
  'HEADER_VALUE',
  400,
  'client',
  'A header value holds a control byte.',
)
export const HEADER_FOLD = define(
  'HEADER_FOLD',
  400,
  'client',
  'A header line begins with white space (obsolete line folding).',
)
export const HEADERS_TOO_LARGE = define(
  'HEADERS_TOO_LARGE',
  431,
  'client',
  'The request head is larger than headBytesMax.',
)
export const HEADERS_TOO_MANY = define(
  'HEADERS_TOO_MANY',
  431,
  'client',
  'The request has more header lines than headerCountMax.',
)
export const TARGET_TOO_LONG = define(
  'TARGET_TOO_LONG',
  414,
  'client',
  'The request line is larger than headBytesMax.',
)
export const HOST_MISSING = define(
  'HOST_MISSING',
  400,
  'client',
  'An HTTP/1.1 request has no Host header.',
)
export const HOST_DOUBLE = define(
  'HOST_DOUBLE',
  400,
  'client',
  'The request has more than one Host header.',
)
export const HOST_INVALID = define(
  'HOST_INVALID',
  400,
  'client',
  'The Host header is not a legal host with an optional port, or is empty.',
)
export const LENGTH_INVALID = define(
  'LENGTH_INVALID',
  400,
  'client',
  'Content-Length is not one plain decimal number.',
)
export const LENGTH_DOUBLE = define(
  'LENGTH_DOUBLE',
  400,
  'client',
  'The request has more than one Content-Length.',
)
export const LENGTH_WITH_CHUNKED = define(
  'LENGTH_WITH_CHUNKED',
  400,
  'client',
  'The request has both Content-Length and Transfer-Encoding.',
)
export const TRANSFER_ENCODING = define(
  'TRANSFER_ENCODING',
  501,
  'client',
  'Transfer-Encoding is anything but exactly one "chunked".',
)
export const TRANSFER_ENCODING_10 = define(
  'TRANSFER_ENCODING_10',
  400,
  'client',
  'An HTTP/1.0 request has a Transfer-Encoding.',
)
export const CONNECT_REFUSED = define('CONNECT_REFUSED', 501, 'client', 'CONNECT is not served.')
export const UPGRADE_WITH_BODY = define(
  'UPGRADE_WITH_BODY',
  400,
  'client',
  'A request that asks for an upgrade has a body.',
)
export const UPGRADE_ENGINE = define(
  'UPGRADE_ENGINE',
  501,
  'client',
  'The request asks for an upgrade that the engine of the entry point (uws) can not relay: it is no WebSocket of version 13.',
)
export const CHUNKED_ENGINE = define(
  'CHUNKED_ENGINE',
  411,
  'client',
  'The request has a Transfer-Encoding, which the engine of the entry point (uws) takes from trusted clients only.',
)
export const EXPECTATION = define(
  'EXPECTATION',
  417,
  'client',
  'Expect holds something else than 100-continue.',
)
export const UNDERSCORE_HEADER = define(
  'UNDERSCORE_HEADER',
  400,
  'client',
  'A header name holds an underscore and the entry point rejects those.',
)
export const ENCODED_CHARACTER = define(
  'ENCODED_CHARACTER',
  400,
  'client',
  'The path holds an encoded character that the entry point or router refuses.',
)
export const PATH_ENCODING = define(
  'PATH_ENCODING',
  400,
  'client',
  'The path holds a "%" that is not followed by two hexadecimal digits.',
)
export const HTTP2_PREFACE = define(
  'HTTP2_PREFACE',
  505,
  'client',
  'The client speaks HTTP/2 on a port that does not, or where HTTP/1 was spoken before.',
)
export const H2_HEAD = define(
  'H2_HEAD',
  400,
  'client',
  'The head of an HTTP/2 request has a pseudo field missing, double, unknown or late, or a field that belongs to one connection.',
)
export const H2_AUTHORITY = define(
  'H2_AUTHORITY',
  400,
  'client',
  'The :authority of an HTTP/2 request and its Host header differ.',
)

// Request body.
export const CHUNK_SIZE = define(
  'CHUNK_SIZE',
  400,
  'client',
  'A chunk size line is malformed or too long.',
)
export const CHUNK_DATA = define(
  'CHUNK_DATA',
  400,
  'client',
  'Chunk data is not followed by CR LF.',
)
export const CHUNK_EXTENSION = define(
  'CHUNK_EXTENSION',
  400,
  'client',
  'Chunk extensions are malformed or exceed their bound.',
)
export const TRAILER_INVALID = define(
  'TRAILER_INVALID',
  400,
  'client',
  'The trailer section is malformed or holds a field that may not be a trailer.',
)
export const TRAILERS_TOO_LARGE = define(
  'TRAILERS_TOO_LARGE',
  431,
  'client',
  'The trailer section exceeds its bound.',
)
export const REQUEST_CUT = define(
  'REQUEST_CUT',
  400,
  'client',
  'The client ended the connection before the end of its request.',
)

export const BODY_OVERRUN = define(
  'BODY_OVERRUN',
  503,
  'gateway',
  'The client sent on while the server did not read, and the engine (uws) could not pause it in time.',
)
export const H2_LENGTH = define(
  'H2_LENGTH',
  400,
  'client',
  'The DATA frames of an HTTP/2 request are longer or shorter than its Content-Length.',
)

// The whole connection of an HTTP/2 client: it ends with GOAWAY, and what was under way on it ends too.
export const H2_PROTOCOL = define(
  'H2_PROTOCOL',
  400,
  'client',
  'An HTTP/2 client broke a rule of the protocol; its connection was ended.',
)
export const H2_COMPRESSION = define(
  'H2_COMPRESSION',
  400,
  'client',
  'A header block of an HTTP/2 client could not be decoded; its connection was ended.',
)
export const H2_RESETS = define(
  'H2_RESETS',
  400,
  'client',
  'An HTTP/2 client cancelled too many requests, or made us cancel them; its connection was ended.',
)
export const H2_FRAMES = define(
  'H2_FRAMES',
  400,
  'client',
  'An HTTP/2 client sent too many frames that carry nothing (PING, SETTINGS, PRIORITY, empty DATA, tiny window updates); its connection was ended.',
)
export const H2_BLOCK = define(
  'H2_BLOCK',
  431,
  'client',
  'A header block of an HTTP/2 client is larger than headBytesMax or comes in too many frames; its connection was ended.',
)

// Time.
export const HEADER_TIMEOUT = define(
  'HEADER_TIMEOUT',
  408,
  'client',
  'The request head was not complete in time.',
)
export const BODY_TIMEOUT = define(
  'BODY_TIMEOUT',
  408,
  'client',
  'The request body stalled, was slower than bodyRateMin, or exceeded readTimeout.',
)
export const WRITE_TIMEOUT = define(
  'WRITE_TIMEOUT',
  499,
  'client',
  'The client stopped reading the response.',
)
export const CLIENT_GONE = define(
  'CLIENT_GONE',
  499,
  'client',
  'The client closed the connection before the response was complete.',
)

// The handshake of a client's connection; there is no request yet, so the status is never sent.
export const TLS_HANDSHAKE = define(
  'TLS_HANDSHAKE',
  400,
  'client',
  'The TLS handshake of the client failed: no common version, cipher or protocol, or broken messages.',
)
export const TLS_TIMEOUT = define(
  'TLS_TIMEOUT',
  408,
  'client',
  'The TLS handshake of the client was not complete within headerTimeout.',
)
export const TLS_CLIENT_CERTIFICATE = define(
  'TLS_CLIENT_CERTIFICATE',
  400,
  'client',
  'The client showed no certificate where one is required, or one that could not be verified.',
)
export const TLS_SERVER_NAME = define(
  'TLS_SERVER_NAME',
  400,
  'client',
  'The client names a server that has no certificate, and sniStrict is set.',
)
export const OPENING_INVALID = define(
  'OPENING_INVALID',
  400,
  'client',
  'The first bytes of the connection are no legal PROXY header or TLS hello.',
)
export const MISDIRECTED = define(
  'MISDIRECTED',
  421,
  'client',
  'The Host of the request has other TLS options than the server name of the connection.',
)

// Routing and middlewares.
export const NO_ROUTER = define('NO_ROUTER', 404, 'gateway', 'No router matches the request.')
export const NO_SERVER = define(
  'NO_SERVER',
  503,
  'gateway',
  'The service has no server that can be used.',
)
export const REFUSED_ADDRESS = define(
  'REFUSED_ADDRESS',
  403,
  'client',
  'The client address is not in the sourceRange.',
)
export const IN_FLIGHT = define(
  'IN_FLIGHT',
  429,
  'client',
  'Too many requests of this source are in flight.',
)
export const RATE_LIMITED = define(
  'RATE_LIMITED',
  429,
  'client',
  'The rate limit or the quota of this source is used up.',
)
export const LIMIT_STORE = define(
  'LIMIT_STORE',
  500,
  'gateway',
  'The store that counts for this limit can not be asked, and the limit denies then.',
)
export const UNAUTHORIZED = define(
  'UNAUTHORIZED',
  401,
  'client',
  'The request brings no valid credentials.',
)
export const REFUSED_HOST = define(
  'REFUSED_HOST',
  400,
  'client',
  'The host is not in allowedHosts.',
)
export const REWRITE_INVALID = define(
  'REWRITE_INVALID',
  400,
  'client',
  'A rewrite made a path that may not be sent, or takes too much.',
)
export const GRPC_WEB_BODY = define(
  'GRPC_WEB_BODY',
  400,
  'client',
  'The body of a gRPC-Web call is announced as base64 and is none.',
)
export const MIDDLEWARE_FAILED = define(
  'MIDDLEWARE_FAILED',
  500,
  'gateway',
  'A middleware failed; the request was refused.',
)

// Upstream.
export const UPSTREAM_REFUSED = define(
  'UPSTREAM_REFUSED',
  502,
  'upstream',
  'The server refused the connection or could not be reached.',
)
export const UPSTREAM_DNS = define(
  'UPSTREAM_DNS',
  502,
  'upstream',
  'The name of the server could not be resolved.',
)
export const UPSTREAM_DIAL_TIMEOUT = define(
  'UPSTREAM_DIAL_TIMEOUT',
  504,
  'upstream',
  'The server did not accept the connection within dialTimeout.',
)
export const UPSTREAM_HEADER_TIMEOUT = define(
  'UPSTREAM_HEADER_TIMEOUT',
  504,
  'upstream',
  'The server sent no response head within responseHeaderTimeout.',
)
export const UPSTREAM_STALL = define(
  'UPSTREAM_STALL',
  504,
  'upstream',
  'The server stalled in the middle of a body.',
)
export const UPSTREAM_RESET = define(
  'UPSTREAM_RESET',
  502,
  'upstream',
  'The server closed the connection before its response was complete.',
)
export const UPSTREAM_MALFORMED = define(
  'UPSTREAM_MALFORMED',
  502,
  'upstream',
  'The response of the server is not legal HTTP.',
)
export const UPSTREAM_HEADERS_TOO_LARGE = define(
  'UPSTREAM_HEADERS_TOO_LARGE',
  502,
  'upstream',
  'The response head of the server exceeds its bound.',
)
export const UPSTREAM_UPGRADE = define(
  'UPSTREAM_UPGRADE',
  502,
  'upstream',
  'The server switched protocols without being asked to.',
)
export const UPSTREAM_WEBSOCKET = define(
  'UPSTREAM_WEBSOCKET',
  502,
  'upstream',
  'The server answered a WebSocket handshake with 101, but not as RFC 6455 demands.',
)
export const UPSTREAM_PROTOCOL = define(
  'UPSTREAM_PROTOCOL',
  502,
  'upstream',
  'The server does not speak the protocol that its URL or its ALPN answer names.',
)
export const UPSTREAM_FULL = define(
  'UPSTREAM_FULL',
  503,
  'upstream',
  'The server has maxConnections or takes no further HTTP/2 stream, and nothing became free within dialTimeout.',
)

export const UPSTREAM_TLS = define(
  'UPSTREAM_TLS',
  502,
  'upstream',
  'The TLS handshake with the server failed.',
)
export const UPSTREAM_CERTIFICATE = define(
  'UPSTREAM_CERTIFICATE',
  502,
  'upstream',
  'The certificate of the server could not be verified, or is not of the expected name.',
)

export const MAINTENANCE = define(
  'MAINTENANCE',
  503,
  'gateway',
  'The service is under maintenance (middleware maintenance).',
)

// Middlewares that hold bodies, and requests of our own (workers/side-request.ts).
export const BODY_TOO_LARGE = define(
  'BODY_TOO_LARGE',
  413,
  'client',
  'The request body is longer than a middleware of the route takes.',
)
export const RESPONSE_BODY_TOO_LARGE = define(
  'RESPONSE_BODY_TOO_LARGE',
  500,
  'upstream',
  'The response body is longer than a middleware of the route takes.',
)
// Times of the timeout middleware.
export const TIMEOUT_TOTAL = define(
  'TIMEOUT_TOTAL',
  504,
  'upstream',
  'The exchange took longer than `total` of a timeout middleware.',
)
export const TIMEOUT_TRY = define(
  'TIMEOUT_TRY',
  504,
  'upstream',
  'A server did not begin to answer within `perTry` of a timeout middleware.',
)
export const TIMEOUT_FIRST_BYTE = define(
  'TIMEOUT_FIRST_BYTE',
  504,
  'upstream',
  'A server did not begin to answer within `firstByte` of a timeout middleware after it had the whole request.',
)
export const TIMEOUT_IDLE = define(
  'TIMEOUT_IDLE',
  504,
  'upstream',
  'No byte of a body has passed for `idle` of a timeout middleware.',
)

export const SIDE_TIMEOUT = define(
  'SIDE_TIMEOUT',
  504,
  'upstream',
  'A server that a middleware asks did not answer in time.',
)

// Of the cache (core/middleware/http/http-cache.ts).
export const NOT_IN_CACHE = define(
  'NOT_IN_CACHE',
  504,
  'client',
  'The request has "Cache-Control: only-if-cached", and nothing that may be served is stored.',
)

// Of a circuitBreaker middleware, which may send another status.
export const CIRCUIT_OPEN = define(
  'CIRCUIT_OPEN',
  503,
  'gateway',
  'The circuit breaker of the route is open, or lets only a part of the requests pass.',
)

// Of a buffering middleware. No server was asked, if it was the request's body.
export const SPOOL_FULL = define(
  'SPOOL_FULL',
  507,
  'gateway',
  'A body was to go to a file, and buffering.diskBytesMax is reached, or the disk or the table of open files is full.',
)
export const SPOOL_FAILED = define(
  'SPOOL_FAILED',
  507,
  'gateway',
  'A body was to go to a file that could not be made, written or read; the log says why.',
)

// Authentication.
export const AUTH_BUSY = define(
  'AUTH_BUSY',
  503,
  'gateway',
  'Too many passwords wait to be checked.',
)
export const AUTH_FAILED = define(
  'AUTH_FAILED',
  500,
  'gateway',
  'Whether the request may pass could not be found out; it was refused.',
)

// Ours.
export const SHED_CONNECTIONS = define(
  'SHED_CONNECTIONS',
  503,
  'gateway',
  'The worker has connectionsMax connections, or is so overloaded that it takes no new ones.',
)
export const SHED_PRIORITY = define(
  'SHED_PRIORITY',
  503,
  'gateway',
  'The gateway is overloaded, and the priority class of the route is not served for the moment.',
)
export const SHED_QUEUE = define(
  'SHED_QUEUE',
  503,
  'gateway',
  'The gateway is overloaded: the request has waited for overload.queueTimeout, or nobody else may wait.',
)
export const DRAINING = define('DRAINING', 503, 'gateway', 'The gateway is shutting down.')
export const INTERNAL = define(
  'INTERNAL',
  500,
  'gateway',
  'The gateway failed; this is a defect, please report it.',
)

export const errorTable: readonly ErrorFact[] = table
