import { describe, expect, it } from 'vitest'
import { Peers, textOfV6 } from './peers.ts'

const address = (...bytes: number[]) => Uint8Array.from(bytes).buffer

describe('peers of the uws engine', () => {
  it('tells IPv4 addresses as text, and the same object for the same address', () => {
    const peers = new Peers()
    const one = peers.peerOf(address(192, 0, 2, 255))
    expect(one.address).toBe('192.0.2.255')
    expect(peers.peerOf(address(10, 0, 0, 1)).address).toBe('10.0.0.1')
    expect(peers.peerOf(address(192, 0, 2, 255))).toBe(one)
  })

  it('tells an IPv4 client on a socket of both families as IPv4', () => {
    const mapped = address(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 198, 51, 100, 7)
    expect(new Peers().peerOf(mapped).address).toBe('198.51.100.7')
  })

  it.each([
    ['::', [0, 0, 0, 0, 0, 0, 0, 0]],
    ['::1', [0, 0, 0, 0, 0, 0, 0, 1]],
    ['2001:db8::1', [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]],
    ['2001:db8:0:1:1:1:1:1', [0x2001, 0xdb8, 0, 1, 1, 1, 1, 1]],
    ['2001:0:0:1::1', [0x2001, 0, 0, 1, 0, 0, 0, 1]],
    ['fe80::', [0xfe80, 0, 0, 0, 0, 0, 0, 0]],
  ])('writes %s as RFC 5952 wants it', (text, groups) => {
    const bytes = Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]))
    expect(textOfV6(bytes)).toBe(text)
    expect(new Peers().peerOf(bytes.buffer).address).toBe(text)
  })

  it('starts anew rather than grow without bound', () => {
    const peers = new Peers()
    const first = peers.peerOf(address(10, 0, 0, 1))
    for (let i = 0; i < 5000; i++) peers.peerOf(address(11, 0, i >> 8, i & 255))
    expect(peers.peerOf(address(10, 0, 0, 1))).not.toBe(first)
  })

  it('does not ask for the address of a request while all connections have come from one', () => {
    const peers = new Peers()
    let asked = 0
    const response = (...bytes: number[]) => ({
      getRemoteAddress: () => {
        asked++
        return address(...bytes)
      },
    })
    expect(peers.peerOfRequest(response(10, 0, 0, 1)).address).toBe('10.0.0.1') // not told: asked
    expect(asked).toBe(1)
    peers.connectionFrom(address(10, 0, 0, 1))
    peers.connectionFrom(address(10, 0, 0, 1))
    expect(peers.peerOfRequest(response(10, 0, 0, 1)).address).toBe('10.0.0.1')
    expect(asked).toBe(1)
    peers.connectionFrom(address(10, 0, 0, 2))
    expect(peers.peerOfRequest(response(10, 0, 0, 2)).address).toBe('10.0.0.2')
    expect(peers.peerOfRequest(response(10, 0, 0, 1)).address).toBe('10.0.0.1')
    peers.connectionFrom(address(10, 0, 0, 1))
    expect(peers.peerOfRequest(response(10, 0, 0, 2)).address).toBe('10.0.0.2')
  })

  it('takes a connection whose address is not known for one from elsewhere', () => {
    const peers = new Peers()
    peers.connectionFrom(address(10, 0, 0, 1))
    peers.connectionFrom(address())
    expect(peers.peerOfRequest({ getRemoteAddress: () => address() }).address).toBe('')
  })
})
