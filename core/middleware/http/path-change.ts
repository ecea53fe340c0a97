// core/middleware/http/path-change.ts: the path that a filter of the Gateway API makes of the one that came.
//
// Hot: yes, for routers with requestRedirect or URLRewrite. Without pathPrefix the whole path is replaced; with it
// only the prefix is, by elements: "/foo" is a prefix of "/foo" and "/foo/bar", never of "/foobar". Slashes at the
// end of prefix and replacement do not count, as in the tables of HTTPPathModifier:
//
//   /foo/bar   prefix /foo   by /xyz or /xyz/   -> /xyz/bar
//   /foo/bar   prefix /foo   by / or ''         -> /bar
//   /foo       prefix /foo   by / or ''         -> /

import type { Exchange } from '../../exchange.ts'
import { rawEndOf } from '../url.ts'

export interface PathChangeOptions {
  readonly path: string | null // null: the path stays
  readonly pathPrefix: string | null // null: the whole path is replaced
}

export class PathChange {
  private readonly replacement: string | null
  private readonly prefix: string | null // without slashes at its end; '' for that of every path

  constructor({ path, pathPrefix }: PathChangeOptions) {
    this.prefix = pathPrefix === null ? null : withoutEnd(pathPrefix)
    this.replacement = path === null || pathPrefix === null ? path : withoutEnd(path)
  }

  // As escaped text, not yet checked (core/normalise.ts: legalRewrite). null: it stays as it is.
  of(exchange: Exchange): string | null {
    const { prefix, replacement } = this
    if (replacement === null || prefix === null) return replacement
    if (!hasPrefix(exchange.routingPath, prefix)) return null
    const end = rawEndOf(exchange, prefix.length)
    if (end < 0) return null // it ends inside an escape, so it is no prefix of the path
    const path = replacement + exchange.path.slice(end)
    return path === '' ? '/' : path
  }
}

function hasPrefix(path: string, prefix: string): boolean {
  if (path.charCodeAt(0) !== 47 || !path.startsWith(prefix)) return false
  return path.length === prefix.length || path.charCodeAt(prefix.length) === 47
}

function withoutEnd(path: string): string {
  let end = path.length
  while (end > 0 && path.charCodeAt(end - 1) === 47) end--
  return path.slice(0, end)
}
