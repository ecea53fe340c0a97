// workers/health/http.ts: how an HTTP server is checked: a request by HTTP/1.1 or HTTP/2, or gRPC's health protocol.
//
// Owner:  the supervisor's thread (checks.ts); nothing here runs in a worker. Hot: no. Each check has a connection of its
//         own, with the TLS settings of the service's serversTransport, and closes it at the head of the answer.
//
// As in Traefik: well is an answer of 200 to 399, or exactly `status`; redirects are followed unless that is turned off,
// and for gRPC the answer SERVING to an empty service name.

import net from 'node:net'
import type {
  HttpHealthCheckPlan,
  LoadBalancerPlan,
  PlanMaps,
  TransportPlan,
} from '../../config/generation.ts'
import { whenDue } from '../due.ts'
import { parseAddress } from '../upstream/dial.ts'
import { healthKey } from './board.ts'
import { type HealthTarget, tryStep } from './checks.ts'
import { type ProbeRequest, askByHttp1, askByHttp2 } from './http-ask.ts'
import { secureProbe } from './secure.ts'

const REDIRECTS_MAX = 10 // as Go's client

// `forgive`: a server that was down by passive means is well, as a check has found.
export function httpHealthTargets(
  { services, transports }: Pick<PlanMaps, 'services' | 'transports'>,
  forgive: (plan: LoadBalancerPlan, url: string) => void,
): HealthTarget[] {
  const targets: HealthTarget[] = []
  for (const plan of services.values()) {
    if (plan.kind !== 'loadBalancer' || plan.healthCheck === null) continue
    const transport = transports.get(plan.serversTransport)
    if (transport === undefined) continue
    for (const { url } of plan.servers)
      targets.push(targetOf(plan, plan.healthCheck, url, transport, forgive))
  }
  return targets
}

function targetOf(
  plan: LoadBalancerPlan,
  check: HttpHealthCheckPlan,
  url: string,
  transport: TransportPlan,
  forgive: (plan: LoadBalancerPlan, url: string) => void,
): HealthTarget {
  return {
    key: healthKey('http', plan.name, url, check),
    service: plan.name,
    address: url,
    intervalMs: check.intervalMs,
    unhealthyIntervalMs: check.unhealthyIntervalMs,
    passed: plan.passive === null ? null : () => forgive(plan, url),
    probe: (done) => new HttpProbe(check, url, transport, done).start(),
  }
}

// 'http://10.0.0.7:8080/base' and '/health' make 'http://10.0.0.7:8080/health', as a browser has it.
function placeOf(check: HttpHealthCheckPlan, server: string): URL {
  const { path: socketPath } = parseAddress(server)
  const base = socketPath === '' ? server.replace(/^h2c:/, 'http:') : 'http://localhost/'
  const url = new URL(check.path, base)
  if (check.scheme !== '') url.protocol = check.scheme === 'https' ? 'https:' : 'http:'
  if (check.port !== 0) url.port = String(check.port)
  return url
}

class HttpProbe {
  private readonly check: HttpHealthCheckPlan
  private readonly server: string
  private readonly transport: TransportPlan
  private readonly done: (fault: string) => void
  private readonly timer: NodeJS.Timeout
  private readonly first: URL
  private socket: net.Socket | null = null
  private hops = 0
  private ended = false

  constructor(
    check: HttpHealthCheckPlan,
    server: string,
    transport: TransportPlan,
    done: (fault: string) => void,
  ) {
    this.check = check
    this.server = server
    this.transport = transport
    this.done = done
    this.first = placeOf(check, server)
    this.timer = whenDue(check.timeoutMs, () => this.end('no answer in time'))
  }

  start(): void {
    this.go(this.first, this.check.method)
  }

  private go(url: URL, method: string): void {
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const isSecure = url.protocol === 'https:'
    const port = url.port === '' ? (isSecure ? 443 : 80) : Number(url.port)
    const { path } = parseAddress(this.server)
    const isOwn = url.host === this.first.host
    const socket = new net.Socket()
    this.socket = socket
    this.watch(socket)
    socket.once('connect', () =>
      this.step(() => {
        if (isSecure) this.secure(socket, host, url, method)
        else this.ask(socket, url, method, isOwn && this.speaksHttp2())
      }),
    )
    socket.connect(isOwn && path !== '' ? { path } : { host, port })
  }

  // In clear text HTTP/2 is never found out: whoever speaks it says so.
  private speaksHttp2(): boolean {
    const { scheme, mode } = this.check
    if (mode === 'grpc' || scheme === 'h2c') return true
    return scheme === '' && this.server.startsWith('h2c:')
  }

  private secure(socket: net.Socket, host: string, url: URL, method: string): void {
    const { tls, disableHttp2 } = this.transport
    const isGrpc = this.check.mode === 'grpc'
    const alpn = isGrpc ? ['h2'] : disableHttp2 ? ['http/1.1'] : ['h2', 'http/1.1']
    secureProbe(
      socket,
      tls,
      host,
      alpn,
      (secured) => this.watch(secured),
      (secured, fault) => {
        if (fault !== '') return this.end(fault)
        if (isGrpc && secured.alpnProtocol !== 'h2') return this.end('it does not speak HTTP/2')
        this.step(() => this.ask(secured, url, method, secured.alpnProtocol === 'h2'))
      },
    )
  }

  // Of a connection that was left for another one nothing counts any more.
  private watch(socket: net.Socket): void {
    const hop = this.hops
    const end = (fault: string) => {
      if (hop === this.hops) this.end(fault)
    }
    socket.on('error', (fault: NodeJS.ErrnoException) => end(fault.code ?? fault.message))
    socket.on('close', () => end('the server closed the connection'))
  }

  private ask(socket: net.Socket, url: URL, method: string, isHttp2: boolean): void {
    const { check } = this
    // Headers of the configuration may be secrets: they are not carried to where a server points.
    const isOwn = url.origin === this.first.origin
    const request: ProbeRequest = {
      method,
      path: url.pathname + url.search,
      secure: url.protocol === 'https:',
      authority: isOwn && check.hostname !== '' ? check.hostname : url.host,
      headers: isOwn ? check.headers : {},
      isGrpc: check.mode === 'grpc',
    }
    const ask = isHttp2 ? askByHttp2 : askByHttp1
    const hop = this.hops
    ask(socket, request, (answer) => {
      if (this.ended || hop !== this.hops) return
      if (answer.fault !== '') return this.end(answer.fault)
      if (request.isGrpc) return this.end('')
      this.step(() => this.judge(answer.status, answer.location, url, method))
    })
  }

  private judge(status: number, location: string, url: URL, method: string): void {
    const { check } = this
    const next = check.followRedirects && isRedirect(status) ? URL.parse(location, url.href) : null
    if (next !== null) return this.follow(next, status, method)
    const isWell = check.status === 0 ? status >= 200 && status < 400 : status === check.status
    this.end(isWell ? '' : `it answered ${status}`)
  }

  private follow(url: URL, status: number, method: string): void {
    if (++this.hops > REDIRECTS_MAX) return this.end(`more than ${REDIRECTS_MAX} redirects`)
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      return this.end('it redirects to what is no HTTP')
    this.socket?.destroy()
    const keeps = status === 307 || status === 308 || method === 'HEAD'
    this.go(url, keeps ? method : 'GET')
  }

  // Whatever an event leads to.
  private step(action: () => void): void {
    tryStep(action, (fault) => this.end(fault))
  }

  private end(fault: string): void {
    if (this.ended) return
    this.ended = true
    clearTimeout(this.timer)
    this.socket?.destroy()
    this.done(fault)
  }
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308
}
