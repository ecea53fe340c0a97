// test/tidy/rules.ts: what is looked at in one file: its length, its functions, its opening, banned words.
//
// Each finding is a sentence that begins with the place and ends with what to do. A line may be excused by a
// comment `tidy: why` on it or on the line above; whoever reads the line then reads the reason too.

import { type Source, isTestFile } from './source.ts'

export const FILE_LINES_MAX = 400
export const FUNCTION_LINES_MAX = 70

function isExcused(source: Source, line: number): boolean {
  return /\/\/ tidy: \S/.test((source.lines[line - 1] ?? '') + '\n' + (source.lines[line] ?? ''))
}

// ---- length

// Longer files, each with its reason. A file that has become shorter leaves the list.
export const longFiles: ReadonlyMap<string, string> = new Map<string, string>([
  ['core/errors.ts', 'one table of all errors, a sentence each'],
])

export function fileLength(source: Source): string[] {
  const lines = source.lines.length - 1
  const isListed = longFiles.has(source.path)
  if (lines > FILE_LINES_MAX && !isListed)
    return [`${source.path} has ${lines} lines; cut it, the limit is ${FILE_LINES_MAX}`]
  if (lines <= FILE_LINES_MAX && isListed)
    return [`${source.path} has ${lines} lines; take it off the list of long files`]
  return []
}

// A function that may be long: describe() of a suite is a heading, not a function.
const FUNCTION = /(?:\bfunction\b.*|=> )\{$/
const METHOD =
  /^ +(?:(?:public|protected|private|static|override|async|get|set) )*(?!(?:if|for|while|switch|catch|return)\b)[#\w]+(?:<.*>)?\(.*\{$/
const OPEN_HEAD = /(?:^ *(?:export )?(?:async )?function .*\($)|(?:^ +(?:\w+ )*[#\w]+\($)/

// Relies on the formatter: a function ends at the first line that is indented as its first one and begins
// with "}". A head of several lines ends with a line that begins with ")" and ends with "{".
export function functionLength(source: Source): string[] {
  const found: string[] = []
  source.codeLines.forEach((line, at) => {
    if (/^\s*describe\b/.test(line)) return
    const isOneLine = FUNCTION.test(line) || METHOD.test(line)
    if (!isOneLine && !(OPEN_HEAD.test(line) && endsAsHead(source, at))) return
    const length = endOf(source, at) - at + 1
    if (length > FUNCTION_LINES_MAX && !isExcused(source, at))
      found.push(
        `${source.path}:${at + 1} has ${length} lines; cut it, the limit is ${FUNCTION_LINES_MAX}`,
      )
  })
  return found
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length
}

function endsAsHead(source: Source, at: number): boolean {
  const indent = indentOf(source.codeLines[at]!)
  const end = source.codeLines.findIndex(
    (line, i) => i > at && line.trim() !== '' && indentOf(line) === indent,
  )
  const line = source.codeLines[end]?.trim() ?? ''
  return line.startsWith(')') && line.endsWith('{')
}

function endOf(source: Source, at: number): number {
  const indent = indentOf(source.codeLines[at]!)
  for (let i = at + 1; i < source.codeLines.length; i++) {
    const line = source.codeLines[i]!
    if (indentOf(line) === indent && line.trim().startsWith('}') && !line.endsWith('{')) return i
  }
  return at
}

export function opening(source: Source): string[] {
  if (isTestFile(source.path) || source.path === 'vitest.config.ts') return []
  if (source.text.startsWith('// ')) return []
  return [`${source.path} does not open with a comment that says what it is`]
}

// ---- banned words

interface Ban {
  readonly pattern: RegExp
  readonly instead: string
}

export function isHot(source: Source): boolean {
  const head = source.lines.slice(
    0,
    source.lines.findIndex((line) => !line.startsWith('//')),
  )
  return head.some((line) => /\bHot: +yes\b/.test(line))
}

const hotBans: readonly Ban[] = [
  { pattern: /\basync\b/, instead: 'a callback that is made once, or a verdict WAIT' },
  { pattern: /\bnew Promise\b/, instead: 'a callback that is made once, or a verdict WAIT' },
  { pattern: /\bDate\.now\(/, instead: 'the time that the caller gives, or sweeper.now' },
  { pattern: /\bJSON\.parse\(/, instead: 'plain data that was parsed when it was configured' },
  { pattern: /\bBuffer\.concat\(/, instead: 'HeadBuffer, or writeParts with the pieces' },
  { pattern: /\.bind\(/, instead: 'a field or a module function that takes the object' },
  { pattern: /\bdelete /, instead: 'a Map, or a field that is set to null' },
]

const coreBans: readonly Ban[] = [
  { pattern: /\bprocess\./, instead: 'an argument' },
  { pattern: /\bDate\b(?!:)/, instead: 'a time that the caller gives' },
  { pattern: /\bperformance\./, instead: 'a time that the caller gives' },
  { pattern: /\bset(?:Timeout|Interval|Immediate)\(/, instead: 'a decision that workers act on' },
  { pattern: /\bconsole\./, instead: 'a value that the caller logs' },
]

export function bannedWords(source: Source): string[] {
  if (isTestFile(source.path)) return []
  const bans: Ban[] = []
  if (isHot(source)) bans.push(...hotBans)
  if (source.path.startsWith('core/')) bans.push(...coreBans)
  const found: string[] = []
  source.codeLines.forEach((line, at) => {
    for (const { pattern, instead } of bans) {
      const match = pattern.exec(line)
      if (match === null || isExcused(source, at)) continue
      found.push(`${source.path}:${at + 1} has "${match[0].trim()}"; use ${instead}`)
    }
  })
  return found
}

// ---- timers

const TIMER = /(?<![.\w])set(?:Timeout|Interval)\(/g
const SAFE_TIME = /^(?:timerMs\(|[A-Z\d_]+(?: [-+*/] [A-Z\d_]+)*$)/

// A time that is longer than 31 bits is 1 ms to Node: what may come from a configuration goes through timerMs().
export function timerTimes(source: Source): string[] {
  if (isTestFile(source.path) || source.path.startsWith('bench/')) return []
  const found: string[] = []
  for (const match of source.code.matchAll(TIMER)) {
    const line = source.code.slice(0, match.index).split('\n').length
    const time = argumentsAt(source.code, match.index + match[0].length)[1] ?? ''
    if (!SAFE_TIME.test(time) && !isExcused(source, line - 1))
      found.push(`${source.path}:${line} waits for "${time}"; use timerMs() or a constant`)
  }
  return found
}

// Of a call whose "(" ends before `from`.
function argumentsAt(code: string, from: number): string[] {
  const found = ['']
  let depth = 0
  for (let at = from; at < code.length && depth >= 0; at++) {
    const c = code[at]!
    if ('([{'.includes(c)) depth++
    else if (')]}'.includes(c)) depth--
    if (c === ',' && depth === 0) found.push('')
    else if (depth >= 0) found[found.length - 1] += c
  }
  return found.map((text) => text.trim())
}

// ---- what must never be in a repository

const leaks: readonly Ban[] = [
  {
    pattern: /(?:^|[\s'"`(=:])\/(?:work|root|farm|Users)\/[\w.-]/,
    instead: 'a path relative to the repository',
  },
  { pattern: /(?:^|[\s'"`(=:])\/tmp\/[\w.-]/, instead: 'a folder from mkdtemp' },
  {
    pattern: /\bregistry\.(?:npmjs|yarnpkg)\b|\bdeb\.debian\.org\b|\bpypi\.org\b/,
    instead: 'what the machine has configured',
  },
  { pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----/, instead: 'a key that the test makes' },
  {
    pattern: /\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|npm_\w{30,}|xox[abp]-\w{10,}|sk-\w{24,})/,
    instead: 'a name of a variable',
  },
]

export function leaksOf(path: string, text: string): string[] {
  const found: string[] = []
  text.split('\n').forEach((line, at) => {
    for (const { pattern, instead } of leaks) {
      if (pattern.test(line)) found.push(`${path}:${at + 1} leaks; use ${instead}`)
    }
  })
  return found
}
