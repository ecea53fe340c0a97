// admin/dashboard.ts: the dashboard's few files, read once. They load nothing from elsewhere. Hot: no.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Reply } from './reply.ts'

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

function pageFile(name: string, contentType: string): Reply {
  const body = readFileSync(join(import.meta.dirname, 'web', name))
  return {
    status: 200,
    headers: { 'Content-Type': contentType, 'Content-Security-Policy': policy },
    body,
  }
}

let files: ReadonlyMap<string, Reply> | null = null

function filesByPath(): ReadonlyMap<string, Reply> {
  files ??= new Map([
    ['/dashboard/', pageFile('index.html', 'text/html; charset=utf-8')],
    ['/dashboard/dashboard.js', pageFile('dashboard.js', 'text/javascript; charset=utf-8')],
    ['/dashboard/dashboard.css', pageFile('dashboard.css', 'text/css; charset=utf-8')],
  ])
  return files
}

// `path` is below api.basePath, which is `base`; null when the dashboard has no such page.
export function answerDashboard(path: string | null, base: string): Reply | null {
  if (path === '/' || path === '/dashboard') {
    return { status: 302, headers: { Location: `${base}/dashboard/` }, body: '' }
  }
  return path === null ? null : (filesByPath().get(path) ?? null)
}
