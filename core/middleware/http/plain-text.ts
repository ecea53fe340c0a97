// core/middleware/http/plain-text.ts: whether a body can be read as text, by its head. Hot: yes, for bodyRewrite.

import type { Head } from '../../headers.ts'
import { forbidsTransform } from './coded-head.ts'

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]*)/i

// In UTF-8 or ASCII, in no coding, and whoever sent it does not forbid to change it.
export function isPlainText(head: Head): boolean {
  if (head.has('content-encoding') || forbidsTransform(head)) return false
  const charset = CHARSET.exec(head.get('content-type') ?? '')?.[1]?.toLowerCase() ?? 'utf-8'
  return charset === 'utf-8' || charset === 'utf8' || charset === 'us-ascii'
}
