// core/tls/extension-ids.ts: the numbers of the extensions of a ClientHello that decide where it goes (IANA).

export const SNI_EXTENSION = 0
export const SIGNATURES_EXTENSION = 13
export const ALPN_EXTENSION = 16
export const VERSIONS_EXTENSION = 43
