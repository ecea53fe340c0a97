// core/rate/store.ts: a limit whose counts several hosts share, as core sees it. workers/store asks Redis.
//
// Hot: no; types and one constant.

export interface StoreTlsPlan {
  readonly caPem: string // '' for the authorities that Node knows
  readonly certPem: string
  readonly keyPem: string // secret
  readonly insecureSkipVerify: boolean
}

// Where the counts are. Plain data: it travels to workers within the options of a middleware.
export interface StorePlan {
  readonly kind: 'single' | 'cluster' | 'sentinel'
  readonly nodes: readonly { readonly host: string; readonly port: number }[]
  readonly username: string
  readonly password: string // secret
  readonly database: number
  readonly masterSet: string // of sentinels
  readonly sentinelUsername: string
  readonly sentinelPassword: string // secret
  readonly tls: StoreTlsPlan | null
  readonly dialTimeoutMs: number
  readonly timeoutMs: number // of an answer
}

// What is asked for every request of one limit. The parameters of the script are made once.
export interface StoreAsk {
  readonly script: 'bucket' | 'quota'
  readonly prefix: string // of the key in the store; the source follows
  readonly parameters: readonly string[]
  readonly maxDelayMs: number
  readonly lease: number // permits that are taken at once; 1: every request asks
  readonly leaseMs: number // and then are given back by being forgotten
}

export interface StoreDecision {
  readonly failed: boolean // the store could not be asked: the rest says nothing
  readonly waitMs: number // as of Limit.take
  readonly remaining: number
  readonly resetMs: number
}

export const UNDECIDED: StoreDecision = { failed: true, waitMs: 0, remaining: 0, resetMs: 0 }

export interface StoreWaiter {
  onDecision(decision: StoreDecision): void // once, never within take()
}

export interface LimitStore {
  // Null: `waiter` is told later. At once: from permits that were taken before, or because the store is known to be away.
  take(ask: StoreAsk, source: string, waiter: StoreWaiter): StoreDecision | null
}
