import { expect, test } from 'vitest'
import { requestOf } from './middleware/exchange.fixture.ts'
import { protocolNames, protocolOf } from './request-protocol.ts'

const protocol = (...lines: string[]): string =>
  protocolNames[protocolOf(requestOf('POST /x HTTP/1.1', lines))]!

test('A request is what its Accept, Content-Type and Upgrade say, and http otherwise', () => {
  expect(protocol()).toBe('http')
  expect(protocol('Accept: */*', 'Content-Type: application/json')).toBe('http')
  expect(protocol('Accept: text/event-stream')).toBe('sse')
  expect(protocol('Accept: application/json, Text/Event-Stream')).toBe('sse')
  expect(protocol('Content-Type: application/grpc')).toBe('grpc')
  expect(protocol('content-type: application/grpc+proto')).toBe('grpc')
  expect(protocol('Content-Type: application/grpc-web+proto')).toBe('grpc-web')
  expect(protocol('Content-Type: application/grpc-web-text')).toBe('grpc-web')
  expect(protocol('Connection: Upgrade', 'Upgrade: WebSocket')).toBe('websocket')
})

test('What only looks alike is http', () => {
  expect(protocol('Accept: text/event-streams')).toBe('http')
  expect(protocol('Accept: text/event-stream;q=0')).toBe('http')
  expect(protocol('Accept: x/y', 'X-Accept: text/event-stream')).toBe('http')
  expect(protocol('Upgrade: websocket')).toBe('http') // Connection does not name it
  expect(protocol('Connection: Upgrade', 'Upgrade: h2c')).toBe('http')
})

test('The one that says most about the connection counts', () => {
  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket']
  expect(protocol('Accept: text/event-stream', ...upgrade)).toBe('websocket')
  expect(protocol('Accept: text/event-stream', 'Content-Type: application/grpc')).toBe('grpc')
})
