// core/route/explain.ts: which router takes a request, and why each of the others does not.
//
// Not hot: for `sluice explain`. Evaluates whole rules, so what it says does not depend on how the
// matcher looks things up; the test compares the two.

import type { Exchange } from '../exchange.ts'
import { compileRegex } from '../regex.ts'
import type { Matcher } from './matcher.ts'
import { compilePredicate, holds, type Predicate } from './predicate.ts'
import { RULE_LEAF, RULE_OR, leafText, ruleText } from './rule.ts'
import { compareCandidates } from './trie.ts'

export interface Explanation {
  readonly name: string
  readonly priority: number
  readonly matched: boolean // the rule holds; only the first such router serves
  readonly why: string
}

// Best first, so the winner is the first that matched.
export function explainMatch<T>(matcher: Matcher<T>, exchange: Exchange): Explanation[] {
  const routes = [...matcher.routes.values()].sort(compareCandidates)
  let winner: string | null = null
  return routes.map((route) => {
    const predicate = compilePredicate(route.rule, compileRegex)
    const matched = holds(predicate, exchange)
    const { name, priority } = route
    if (!matched) return { name, priority, matched, why: whyNot(predicate, exchange) }
    if (winner !== null) return { name, priority, matched, why: `lower priority than ${winner}` }
    winner = name
    return { name, priority, matched, why: 'the rule holds and no router before it matched' }
  })
}

// The first part of the rule that fails.
function whyNot(predicate: Predicate, exchange: Exchange): string {
  const { rule } = predicate
  if (rule.op === RULE_LEAF) return `${leafText(rule)} is false`
  if (rule.op === RULE_OR) return `none of ${ruleText(rule)} holds`
  const failing = predicate.nodes.find((node) => !holds(node, exchange))
  return failing === undefined ? '' : whyNot(failing, exchange)
}
