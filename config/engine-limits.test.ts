import { describe, expect, it } from 'vitest'
import { uwsRefusals, uwsTlsRefusals } from './engine-limits.ts'
import { entryPoints } from './static/entry-points.ts'

function refusalsOf(keys: object): string[] {
  const { web } = entryPoints.parse({ web: { address: ':80', engine: 'uws', ...keys } })
  return uwsRefusals(web!).map(({ path, message }) => {
    expect(message).toMatch(/^is not possible with engine uws: .{10}/)
    return path.join('.')
  })
}

const times = (keys: object) => ({ transport: { respondingTimeouts: keys } })

describe('what engine uws can not do', () => {
  it('refuses nothing of an entry point that asks for nothing special', () => {
    expect(refusalsOf({})).toEqual([])
  })

  it('refuses nothing of an entry point with engine node', () => {
    expect(refusalsOf({ engine: 'node', http: { allowConnect: true } })).toEqual([])
  })

  it.each([
    ['http.allowConnect', { http: { allowConnect: true } }],
    ['proxyProtocol', { proxyProtocol: { trustedIPs: ['10.0.0.0/8'] } }],
    ['http3', { http3: {} }],
    ['address', { address: ':53/udp' }],
    ['transport.respondingTimeouts.readTimeout', times({ readTimeout: '60s' })],
    ['transport.respondingTimeouts.writeTimeout', times({ writeTimeout: '60s' })],
    ['transport.respondingTimeouts.idleTimeout', times({ idleTimeout: '60s' })],
    ['transport.respondingTimeouts.headerTimeout', times({ headerTimeout: '5s' })],
    ['transport.respondingTimeouts.bodyStallTimeout', times({ bodyStallTimeout: '5s' })],
    ['transport.respondingTimeouts.bodyRateMin', times({ bodyRateMin: 100 })],
    ['transport.respondingTimeouts.bodyRateGrace', times({ bodyRateGrace: '1s' })],
    ['transport.respondingTimeouts.writeStallTimeout', times({ writeStallTimeout: '5s' })],
    ['transport.keepAliveMaxRequests', { transport: { keepAliveMaxRequests: 10 } }],
    ['transport.keepAliveMaxTime', { transport: { keepAliveMaxTime: '10s' } }],
    ['transport.limits.headerCountMax', { transport: { limits: { headerCountMax: 99 } } }],
    ['transport.limits.bufferedBytesMax', { transport: { limits: { bufferedBytesMax: 100_000 } } }],
  ])('refuses %s', (path, keys) => {
    expect(refusalsOf(keys)).toEqual([path])
  })

  it('refuses what handshakes of uWebSockets.js can not answer', () => {
    const { web, other } = entryPoints.parse({
      web: { address: ':443', engine: 'uws', http: { tls: {} } },
      other: { address: ':8443', engine: 'uws', http: { tls: { certResolver: 'alpn' } } },
    })
    const alpn = { alpn: { acme: { tlsChallenge: {} } } }
    const dns = { dns: { acme: { tlsChallenge: null } } }
    expect(uwsTlsRefusals(web!, dns, false)).toEqual([])
    expect(uwsTlsRefusals(web!, dns, true)).toHaveLength(1)
    expect(uwsTlsRefusals(web!, alpn, false)).toHaveLength(1) // where the authority asks
    expect(uwsTlsRefusals(other!, alpn, false)).toHaveLength(1)
    expect(uwsTlsRefusals({ ...web!, engine: 'node' }, alpn, true)).toEqual([])
  })

  it('takes a smaller header count, because our own parser keeps it', () => {
    expect(refusalsOf({ transport: { limits: { headerCountMax: 50 } } })).toEqual([])
  })
})
