// workers/health/standing-name.ts: under which name the threads find what they know of servers' answers together. Hot: no.

import type { LoadBalancerPlan } from '../../config/generation.ts'

type Noted = Pick<LoadBalancerPlan, 'name' | 'passive' | 'outlier'>

// With all settings: changed ones begin anew.
export function standingName({ name, passive, outlier }: Noted, url: string): string {
  return `http ${name} ${url} ${JSON.stringify([passive, outlier])}`
}

// Of the service itself: which interval is counted. No URL is 'interval'.
export function intervalName({ name, passive, outlier }: Noted): string {
  return `http ${name} interval ${JSON.stringify([passive, outlier])}`
}
