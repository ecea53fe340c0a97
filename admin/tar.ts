// admin/tar.ts: a tar archive (POSIX ustar) of a few small files, for the support dump. Hot: no.

import { Buffer } from 'node:buffer'

const BLOCK = 512

export interface ArchiveFile {
  readonly name: string // ASCII, below 100 characters
  readonly text: string
}

export function tarOf(files: readonly ArchiveFile[], seconds: number): Buffer {
  const parts: Buffer[] = []
  for (const file of files) {
    const body = Buffer.from(file.text)
    parts.push(headerOf(file.name, body.length, seconds), body)
    parts.push(Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK))
  }
  parts.push(Buffer.alloc(BLOCK * 2)) // the end of an archive
  return Buffer.concat(parts)
}

function headerOf(name: string, size: number, seconds: number): Buffer {
  const header = Buffer.alloc(BLOCK)
  header.write(name, 0, 100, 'latin1')
  header.write('0000644\0', 100, 'latin1')
  header.write('0000000\0', 108, 'latin1') // owner
  header.write('0000000\0', 116, 'latin1') // group
  header.write(octal(size, 11), 124, 'latin1')
  header.write(octal(seconds, 11), 136, 'latin1')
  header.write('        0', 148, 'latin1') // the checksum counts as spaces; then: a plain file
  header.write('ustar\x0000', 257, 'latin1')
  let sum = 0
  for (const byte of header) sum += byte
  header.write(octal(sum, 6) + '\0 ', 148, 'latin1')
  return header
}

function octal(value: number, digits: number): string {
  return Math.floor(value).toString(8).padStart(digits, '0')
}
