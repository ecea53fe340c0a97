// workers/tcp/health.ts: how a TCP server is checked: connect, perhaps TLS, perhaps send, perhaps expect.
//
// Owner:  the supervisor's thread (workers/health/checks.ts); nothing here runs in a worker. Hot: no.
//
// As in Traefik: a server is well when it can be connected to and, where `expect` is set, its first bytes are those.
// What comes before them is never waited for: a banner is compared from its first byte.

import net from 'node:net'
import type {
  TcpHealthCheckPlan,
  TcpLoadBalancerPlan,
  TcpServerPlan,
  TcpServicePlan,
  TcpTransportPlan,
} from '../../config/protocol-plans.ts'
import { localHeader } from '../../core/proxy-protocol/write.ts'
import { whenDue } from '../due.ts'
import { healthKey } from '../health/board.ts'
import { type HealthTarget, tryStep } from '../health/checks.ts'
import { secureProbe } from '../health/secure.ts'
import { splitAddress } from './server.ts'

export interface CheckedPlans {
  readonly tcpServices: ReadonlyMap<string, TcpServicePlan>
  readonly tcpTransports: ReadonlyMap<string, TcpTransportPlan>
}

export function tcpHealthTargets(plans: CheckedPlans): HealthTarget[] {
  const targets: HealthTarget[] = []
  for (const service of plans.tcpServices.values()) {
    if (service.kind !== 'loadBalancer' || service.healthCheck === null) continue
    const transport = plans.tcpTransports.get(service.serversTransport)
    if (transport === undefined) continue
    for (const server of service.servers)
      targets.push(targetOf(service, service.healthCheck, server, transport))
  }
  return targets
}

function targetOf(
  service: TcpLoadBalancerPlan,
  check: TcpHealthCheckPlan,
  server: TcpServerPlan,
  transport: TcpTransportPlan,
): HealthTarget {
  return {
    key: healthKey('tcp', service.name, server.address, check),
    service: service.name,
    address: server.address,
    intervalMs: check.intervalMs,
    unhealthyIntervalMs: check.unhealthyIntervalMs,
    passed: null,
    probe: (done) => new Probe(service, check, server, transport, done).start(),
  }
}

class Probe {
  private readonly service: TcpLoadBalancerPlan
  private readonly check: TcpHealthCheckPlan
  private readonly server: TcpServerPlan
  private readonly transport: TcpTransportPlan
  private readonly done: (fault: string) => void
  private readonly expected: Buffer
  private readonly socket: net.Socket
  private readonly timer: NodeJS.Timeout
  private got = Buffer.alloc(0)

  constructor(
    service: TcpLoadBalancerPlan,
    check: TcpHealthCheckPlan,
    server: TcpServerPlan,
    transport: TcpTransportPlan,
    done: (fault: string) => void,
  ) {
    this.service = service
    this.check = check
    this.server = server
    this.transport = transport
    this.done = done
    this.expected = Buffer.from(check.expect)
    this.timer = whenDue(check.timeoutMs, () => this.end('no answer in time'))
    this.socket = new net.Socket()
  }

  start(): void {
    const { host, port } = splitAddress(this.server.address)
    this.watch(this.socket)
    this.socket.once('connect', () =>
      tryStep(
        () => this.connected(host),
        (fault) => this.end(fault),
      ),
    )
    this.socket.connect({ host, port: this.check.port === 0 ? port : this.check.port })
  }

  private watch(socket: net.Socket): void {
    socket.on('error', (fault: NodeJS.ErrnoException) => this.end(fault.code ?? fault.message))
    socket.on('close', () => this.end('the server closed the connection'))
  }

  private connected(host: string): void {
    const version = this.service.proxyProtocol || this.transport.proxyProtocol
    // A server that wants a PROXY header refuses a connection without one; another port may be another server.
    if (version !== 0 && this.check.port === 0)
      this.socket.write(version === 1 ? 'PROXY UNKNOWN\r\n' : localHeader())
    if (this.server.tls) this.secure(host)
    else this.ask(this.socket)
  }

  private secure(host: string): void {
    const watch = (socket: net.Socket) => this.watch(socket)
    secureProbe(this.socket, this.transport.tls, host, [], watch, (secured, fault) => {
      if (fault === '') this.ask(secured)
      else this.end(fault)
    })
  }

  private ask(socket: net.Socket): void {
    if (this.check.send !== '') socket.write(this.check.send)
    if (this.expected.length === 0) return this.end('')
    socket.on('data', (bytes) => this.take(bytes))
  }

  private take(bytes: Buffer): void {
    const { expected } = this
    this.got = Buffer.concat([this.got, bytes.subarray(0, expected.length - this.got.length)])
    if (!this.got.equals(expected.subarray(0, this.got.length)))
      return this.end('another answer than expected')
    if (this.got.length === expected.length) this.end('')
  }

  private end(fault: string): void {
    clearTimeout(this.timer)
    this.socket.destroy()
    this.done(fault) // the first one counts (checks.ts)
  }
}
