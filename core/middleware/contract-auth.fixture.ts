// core/middleware/contract-auth.fixture.ts: options of the middlewares of authentication and of the
// Gateway API, for contract.test.ts.
//
// Hot: no. Imported by tests only.

// The filters of the Gateway API change headers of either direction.
const evil = 'a\r\nX-Injected: 1'
const modifiers = [
  { set: { 'X-Env': 'prod', Accept: '' }, add: { 'X-Env': 'more' }, remove: ['Server'] },
  { set: { 'X-Env': evil, [evil]: 'x' }, add: { 'Content-Length': '9' }, remove: ['Connection'] },
]

export const forwardAuth = {
  url: 'http://auth.example',
  path: '/verify',
  transport: 'auth@file (forwardAuth)',
  trustForwardHeader: false,
  authResponseHeaders: ['X-User'],
  authResponseHeadersRegex: '^X-Auth-',
  authRequestHeaders: [],
  maxResponseBodySize: -1,
  addAuthCookiesToResponse: ['session'],
  headerField: 'X-User',
  forwardBody: false,
  maxBodySize: -1,
  preserveLocationHeader: false,
  preserveRequestMethod: false,
  authSigninURL: '',
  timeout: 1000,
}

export const authOptions: Record<string, unknown[]> = {
  basicAuth: [
    {
      users: ['ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g='],
      realm: 'shop',
      headerField: 'X-User',
      removeHeader: true,
      cacheTtl: 1000,
    },
    { users: [], realm: 'a"b', headerField: '', removeHeader: false, cacheTtl: 0 },
  ],
  digestAuth: [
    {
      users: ['ann:shop:0123456789abcdef0123456789abcdef'],
      realm: 'shop',
      headerField: 'X-User',
      removeHeader: true,
    },
    { users: [], realm: 'a"b', headerField: '', removeHeader: false },
  ],
  forwardAuth: [
    { ...forwardAuth, cache: null },
    {
      ...forwardAuth,
      cache: { ttl: 1000, refusedTtl: 1000, entriesMax: 10, ignore: ['ip'], cookies: ['a'] },
    },
  ],
  requestHeaderModifier: modifiers,
  responseHeaderModifier: modifiers,
}
