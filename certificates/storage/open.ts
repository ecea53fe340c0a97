// certificates/storage/open.ts: the store that a resolver's `storage` names: a path, or the URL of a shared one.
// Hot: no.

import type { Variables } from '../dns-providers/environment.ts'
import { requestHttp } from '../http.ts'
import type { CertificateStore } from './contract.ts'
import { FileStore } from './file.ts'

export async function openStore(place: string, variables: Variables): Promise<CertificateStore> {
  if (/^rediss?:\/\//.test(place)) {
    const { RedisStore } = await import('./redis.ts')
    return new RedisStore(place, variables)
  }
  if (place.startsWith('kubernetes://')) {
    const { KubernetesStore, inCluster } = await import('./kubernetes.ts')
    return new KubernetesStore(place, inCluster(variables), requestHttp)
  }
  return new FileStore(place)
}
