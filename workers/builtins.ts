// workers/builtins.ts: parts of Node that most workers never need, loaded when they are first asked for.
//
// node:tls and node:crypto take a thread 7 to 10 ms and 3 MiB at its start. getBuiltinModule is synchronous and answers
// from a table after the first time. Not hot.

export function cryptoModule(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto')
}

export function tlsModule(): typeof import('node:tls') {
  return process.getBuiltinModule('node:tls')
}

export function zlibModule(): typeof import('node:zlib') {
  return process.getBuiltinModule('node:zlib')
}
