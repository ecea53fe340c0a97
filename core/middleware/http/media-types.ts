// core/middleware/http/media-types.ts: which content types a middleware takes: those that are included, or all but
// those that are excluded. Hot: yes, once per response; the last header is remembered.

// Compressed by their nature: they do not become smaller.
const packed: readonly string[] = [
  'application/gzip',
  'application/java-archive',
  'application/vnd.rar',
  'application/x-7z-compressed',
  'application/x-bzip2',
  'application/x-gzip',
  'application/x-rar-compressed',
  'application/x-xz',
  'application/zip',
  'application/zstd',
  'audio/*',
  'font/woff',
  'font/woff2',
  'image/avif',
  'image/gif',
  'image/heic',
  'image/jpeg',
  'image/jxl',
  'image/png',
  'image/webp',
  'video/*',
]

// Each event is to be seen at once; who wants them compressed names the type.
const streamed: readonly string[] = ['text/event-stream']

export class MediaTypes {
  private readonly names: ReadonlySet<string>
  private readonly includes: boolean
  private lastHeader: string | null = null
  private lastAnswer: boolean

  constructor(included: readonly string[], excluded: readonly string[]) {
    this.includes = included.length > 0
    const names = this.includes ? included : [...packed, ...streamed, ...excluded]
    this.names = new Set(names.map((name) => bareType(name)))
    this.lastAnswer = this.answer('')
  }

  // `header`: Content-Type as it was sent, null without.
  takes(header: string | null): boolean {
    if (header === this.lastHeader) return this.lastAnswer
    this.lastHeader = header
    this.lastAnswer = this.answer(header === null ? '' : bareType(header))
    return this.lastAnswer
  }

  private answer(type: string): boolean {
    if (type.startsWith('application/grpc')) return false // messages have a compression of their own
    const named = this.names.has(type) || this.names.has(type.slice(0, type.indexOf('/') + 1) + '*')
    return named === this.includes
  }
}

// 'text/HTML; charset=utf-8' -> 'text/html'
export function bareType(header: string): string {
  const end = header.indexOf(';')
  return (end < 0 ? header : header.slice(0, end)).trim().toLowerCase()
}

export const wantMediaType = (text: string): string =>
  /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+\/(?:\*|[!#$%&'+\-.^_`|~0-9A-Za-z]+)$/.test(bareType(text))
    ? ''
    : `${JSON.stringify(text.slice(0, 100))} is not a content type such as text/html or text/*`
