// core/limits.ts: what one worker may hold at the most, and where each number comes from.
//
// Everything that grows with traffic has its bound here or in the configuration of its entry point; what
// happens at a bound is said beside it. ARCHITECTURE.md, "Threads and memory", adds them up.

export interface HeadLimits {
  readonly headBytesMax: number // request or response head, start line included: 431 (414 for the line)
  readonly headerCountMax: number // lines in a head: 431
}

export const HEAD_BYTES_MAX = 64 * 1024 // default of an entry point
export const HEADER_COUNT_MAX = 128 // default of an entry point

// A response head of a server: 502 UPSTREAM_HEADERS_TOO_LARGE. Set-Cookie-heavy applications stay below.
export const responseLimits: HeadLimits = { headBytesMax: 128 * 1024, headerCountMax: 256 }

// Trailer section, both directions: 431 / 502.
export const trailerLimits: HeadLimits = { headBytesMax: 16 * 1024, headerCountMax: 64 }

export const CHUNK_LINE_BYTES_MAX = 256 // one size line with its extensions (CVE-2024-22019)
export const CHUNK_EXTENSION_BYTES_MAX = 16 * 1024 // all extensions of one body
export const INFORMATIONAL_MAX = 16 // 1xx answers before the final one: 502

export const READ_BUFFER_BYTES = 64 * 1024 // the worker's shared read buffer
export const OWNED_BUFFER_BYTES = 256 * 1024 // one connection's own, while it moves a large body
export const OWNED_BUFFERS_MAX = 64 // per worker: 16 MiB; the next connection copies instead
export const SLOW_READER_BYTES = 128 * 1024 // copies for a client that reads slowly, and one read more; then the server is paused
export const PIPELINED_BYTES_MAX = 64 * 1024 // bytes of later requests kept while one is served; then the socket is paused

// HTTP/2 to servers. A paused stream holds one window at the most; the connection's own window is never shut by it.
export const HTTP2_STREAMS_MAX = 250 // on one session, even if the server takes more
export const HTTP2_WINDOW_BYTES = 256 * 1024 // of one stream
export const HTTP2_CONNECTION_BYTES = 2 * 1024 * 1024 // of all together; given back as bytes come
export const HTTP2_WAITING_MAX = 1024 // exchanges per server that wait for a stream: 503 UPSTREAM_FULL
