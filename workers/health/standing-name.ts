// workers/health/standing-name.ts: under which name the threads find what they know of a server's answers together. Hot: no.

import type { LoadBalancerPlan } from '../../config/generation.ts'

// With all settings: changed ones begin anew.
export function standingName(
  { name, passive, outlier }: Pick<LoadBalancerPlan, 'name' | 'passive' | 'outlier'>,
  url: string,
): string {
  return `http ${name} ${url} ${JSON.stringify([passive, outlier])}`
}
