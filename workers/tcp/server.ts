// workers/tcp/server.ts: one server of a TCP service as one worker knows it.
//
// Owner:  its LiveTcpService. It keeps nothing but what its plan says; its health lies on the worker's board,
//         keyed by what defines it, so that a reload forgets none. Hot: `up`, once per connection.

import type {
  TcpHealthCheckPlan,
  TcpServerPlan,
  TcpTransportPlan,
} from '../../config/protocol-plans.ts'
import type { Usable } from '../../core/balance/contract.ts'
import { type HealthBoard, healthKey } from '../health/board.ts'
import type { Address } from '../upstream/dial.ts'
import { ServerTls } from '../upstream/server-tls.ts'

export class TcpServer implements Usable {
  readonly plan: TcpServerPlan
  readonly address: Address
  readonly tls: ServerTls | null // null for a server that is spoken to in clear
  private readonly board: HealthBoard
  private readonly healthKey: string // '' when nobody checks it

  constructor(
    service: string,
    plan: TcpServerPlan,
    check: TcpHealthCheckPlan | null,
    transport: TcpTransportPlan,
    board: HealthBoard,
  ) {
    this.plan = plan
    this.address = addressOf(plan)
    this.tls = plan.tls ? new ServerTls(this.address.host, transport) : null
    this.board = board
    this.healthKey = check === null ? '' : healthKey('tcp', service, plan.address, check)
  }

  get up(): boolean {
    return this.healthKey === '' || !this.board.isDown(this.healthKey)
  }

  get mayServe(): boolean {
    return this.up
  }
}

// 'db:5432', '10.0.0.7:5432', '[2001:db8::7]:5432'
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  return { host, port: Number(address.slice(colon + 1)) }
}

function addressOf(plan: TcpServerPlan): Address {
  const { host, port } = splitAddress(plan.address)
  return { host, port, path: '', prefix: '', authority: plan.address, secure: plan.tls, h2: false }
}
