// test/conformance/traefik/cases/all.ts: every case that is data.

import type { Case, Urls } from '../pair.ts'
import { answerCases } from './answers.ts'
import { bodyCases } from './bodies.ts'
import { headerCases } from './headers.ts'
import { limitCases } from './limits.ts'
import { pathCases } from './paths.ts'
import { protocolCases } from './protocol.ts'
import { routingCases } from './routing.ts'
import { secureCases } from './secure.ts'

export function allCases(url: Urls): readonly Case[] {
  return [
    ...pathCases,
    ...headerCases,
    ...bodyCases,
    ...answerCases(url),
    ...limitCases,
    ...routingCases,
    ...protocolCases,
    ...secureCases,
  ]
}
