// core/access-log/headers.ts: the headers of an exchange as fields of a JSON line.
//
// Hot:    yes, when headers are logged at all; one table for each head keeps the work linear in its lines.
//
//   request_<H>     as the client sent them (Host has its own fields)
//   origin_<H>      as the server sent them
//   downstream_<H>  as the middlewares left them

import type { Exchange } from '../exchange.ts'
import { DROPPED } from '../header-ids.ts'
import type { Head } from '../headers.ts'
import { jsonText } from './escape.ts'
import type { HeaderModes } from './settings.ts'

export function headerFields(modes: HeaderModes, exchange: Exchange): string {
  const { request, response } = exchange
  let fields = written('request_', collect(request, modes, false), modes)
  if (exchange.upstreamHeadAt > 0) {
    fields += written('origin_', collect(response, modes, false), modes)
  }
  return fields + written('downstream_', collect(response, modes, true), modes)
}

// Values by lower-case name, those of one name joined by a comma. `sent`: without what was dropped on the
// way, and with what was added.
function collect(head: Head, modes: HeaderModes, sent: boolean): Map<string, string> {
  const found = new Map<string, string>()
  for (let line = 0; line < head.count; line++) {
    if (sent && head.ids[line] === DROPPED) continue
    addTo(found, modes, head.nameAt(line), head.valueAt(line))
  }
  if (!sent) return found
  for (let i = 0; i < head.extraCount; i++) {
    addTo(found, modes, head.extraNames[i]!.toLowerCase(), head.extraValues[i]!)
  }
  return found
}

function addTo(found: Map<string, string>, modes: HeaderModes, name: string, value: string): void {
  if (name === 'host' || modes.of(name) === 'drop') return
  const before = found.get(name)
  found.set(name, before === undefined ? value : before + ',' + value)
}

function written(prefix: string, found: Map<string, string>, modes: HeaderModes): string {
  let fields = ''
  for (const [name, value] of found) {
    const shown = modes.of(name) === 'redact' ? '"REDACTED"' : jsonText(value)
    fields += jsonText(prefix + canonical(name)) + ':' + shown + ','
  }
  return fields
}

// user-agent -> User-Agent, as Go spells header names.
function canonical(name: string): string {
  return name.replace(WORD, (start) => start.toUpperCase())
}

const WORD = /(?:^|-)[a-z]/g
