// workers/downstream/node/h2/phase.ts: what an HTTP/2 connection is doing; drawn in reader.ts.

export const AT_PREFACE = 0
export const OPEN = 1
export const LEAVING = 2 // GOAWAY was sent: what is under way is finished
export const LINGER = 3 // nothing is sent any more; what still comes is thrown away
export const CLOSED = 4
