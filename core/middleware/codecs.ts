// core/middleware/codecs.ts: what compresses bodies, as middlewares see it; workers/codecs.ts implements it.
//
// Hot: yes, per piece of compressed bodies. Calls are synchronous and give back fresh bytes, or none yet.

export type Coding = 'gzip' | 'br' | 'zstd'
export const codings: readonly Coding[] = ['gzip', 'br', 'zstd']

export interface Encoder {
  readonly failed: boolean // its library gave an error; what came out is not to be used
  piece(bytes: Uint8Array, from: number, to: number): Uint8Array
  flush(): Uint8Array // all that was given can be decoded after it
  end(): Uint8Array
  // Once; it must not be used afterwards. An encoder holds up to a MiB that nobody else gives back.
  release(): void
}

export interface Codecs {
  // null: the memory that this worker spares for encoders is in use.
  encoder(coding: Coding): Encoder | null
}

// Of `sluice explain` and of tests that compress nothing.
export const noCodecs: Codecs = { encoder: () => null }
