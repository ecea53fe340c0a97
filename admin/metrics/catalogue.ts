// admin/metrics/catalogue.ts: every metric that /metrics can show: name, type, labels, meaning.
//
// docs/metrics.md lists the same; a test holds page, table and output together. Hot: no.

import { type MetricFact, fact } from './fact.ts'
import { middlewareFacts } from './middleware-facts.ts'

const ofEntryPoint = ['code', 'entrypoint', 'method', 'protocol']
const ofRouter = ['code', 'method', 'protocol', 'router', 'service']
const ofConnection = ['entrypoint', 'router', 'service']
const ofService = ['code', 'method', 'protocol', 'service']
const ofSuite = ['tls_cipher', 'tls_version']
const ofRequest = new Set(['code', 'method', 'protocol'])

function requestFacts(family: string, what: string, labels: readonly string[]): MetricFact[] {
  const name = `traefik_${family}_`
  return [
    { name: `${name}requests_total`, type: 'counter', help: `Requests ${what}.`, labels },
    {
      name: `${name}request_duration_seconds`,
      type: 'histogram',
      help: `Time from the first to the last byte of an exchange ${what}.`,
      labels,
    },
    {
      name: `${name}requests_tls_total`,
      type: 'counter',
      help: `Requests by TLS ${what}.`,
      labels: [...labels.filter((label) => !ofRequest.has(label)), ...ofSuite].toSorted(),
    },
    {
      name: `${name}requests_bytes_total`,
      type: 'counter',
      help: `Bytes of request bodies ${what}.`,
      labels,
    },
    {
      name: `${name}responses_bytes_total`,
      type: 'counter',
      help: `Bytes of response bodies ${what}.`,
      labels,
    },
  ]
}

// Counted by workers, in shared memory.
export const workerFacts: readonly MetricFact[] = [
  ...requestFacts('entrypoint', 'that arrived on an entry point', ofEntryPoint),
  ...requestFacts('router', 'that a router took', ofRouter),
  ...requestFacts('service', 'that a service answered', ofService),
  fact(
    'traefik_open_connections',
    'gauge',
    'Connections of clients that are open.',
    'entrypoint',
    'protocol',
  ),
  fact(
    'traefik_service_retries_total',
    'counter',
    'Requests that were sent to a service once more.',
    'service',
  ),
  fact(
    'sluice_service_passive_downs_total',
    'counter',
    'Times that passiveHealthCheck took a server out.',
    'service',
    'url',
  ),
  fact(
    'sluice_service_ejections_total',
    'counter',
    'Times that outlierDetection took a server out, by reason: 5xx, gateway_errors, success_rate, failure_percentage.',
    'reason',
    'service',
    'url',
  ),
  fact(
    'sluice_awaited_bodies_total',
    'counter',
    'Requests that waited for the beginning of their body, because half of the connections to the server were in use.',
    'service',
  ),
  fact(
    'sluice_rested_connections_total',
    'counter',
    'Times that a connection was not read until its turn, because it and hundreds of others send a request piece by piece.',
    'entrypoint',
  ),
  fact(
    'sluice_failovers_total',
    'counter',
    'Requests that the fallback of a service was asked for because of the status of the first one.',
    'service',
  ),
  fact(
    'sluice_paced_requests_total',
    'counter',
    'Requests that had to wait because turns of the event loop took longer than overload.turnTarget.',
    'class',
  ),
  fact(
    'sluice_shed_requests_total',
    'counter',
    'Requests that were answered 503 because of overload, by class and by stage (shed-low, shed-normal, refuse) or line (full, timeout).',
    'class',
    'stage',
  ),
  fact(
    'sluice_accept_errors_total',
    'counter',
    'Connections that were refused because the process is nearly out of file descriptors (engine node).',
    'entrypoint',
  ),
  fact('sluice_errors_total', 'counter', 'Refusals and failures by code; see errors.md.', 'code'),
  fact(
    'sluice_tcp_connections_total',
    'counter',
    'Connections that a TCP router took.',
    ...ofConnection,
  ),
  fact(
    'sluice_tcp_received_bytes_total',
    'counter',
    'Bytes that came from clients of a TCP router.',
    ...ofConnection,
  ),
  fact(
    'sluice_tcp_sent_bytes_total',
    'counter',
    'Bytes that came from servers of a TCP service.',
    ...ofConnection,
  ),
  fact(
    'sluice_udp_sessions_total',
    'counter',
    'Sessions that UDP clients have begun.',
    ...ofConnection,
  ),
  fact(
    'sluice_udp_received_datagrams_total',
    'counter',
    'Datagrams that were passed to servers.',
    ...ofConnection,
  ),
  fact(
    'sluice_udp_sent_datagrams_total',
    'counter',
    'Datagrams that were passed to clients.',
    ...ofConnection,
  ),
  fact(
    'sluice_udp_dropped_datagrams_total',
    'counter',
    'Datagrams that were dropped, by reason: no_router, no_server, sessions_max, descriptors, unreachable, send.',
    'entrypoint',
    'reason',
  ),
  ...middlewareFacts,
]

// Known to the supervisor.
export const gatewayFacts: readonly MetricFact[] = [
  fact('traefik_config_reloads_total', 'counter', 'Configurations that were taken over.'),
  fact(
    'traefik_config_last_reload_success',
    'gauge',
    'When a configuration was last taken over, in seconds since the epoch.',
  ),
  fact(
    'traefik_tls_certs_not_after',
    'gauge',
    'When a certificate in use ends, in seconds since the epoch.',
    'cn',
    'sans',
    'serial',
  ),
  fact('sluice_generation_number', 'gauge', 'Number of the generation that is published.'),
  fact(
    'sluice_generation_convergence_seconds',
    'gauge',
    'Time from publishing the last generation until every worker served by it.',
  ),
  fact('sluice_generation_oldest', 'gauge', 'Oldest generation in use; 0 while a worker starts.'),
  fact('sluice_config_errors', 'gauge', 'Errors in the configuration that was loaded last.'),
  fact(
    'sluice_spiffe_svid_not_after',
    'gauge',
    'When the SVID of the SPIFFE Workload API ends, in seconds since the epoch; 0 without one.',
  ),
  fact('sluice_workers', 'gauge', 'Workers that serve.'),
  fact('sluice_worker_restarts_total', 'counter', 'Workers that were replaced.'),
  fact(
    'sluice_worker_event_loop_delay_max_seconds',
    'gauge',
    'Longest turn of the event loop since the last scrape.',
    'worker',
  ),
  fact(
    'sluice_worker_overload_stage',
    'gauge',
    'Stage of overload: 0 calm, 1 trim, 2 shed-low, 3 shed-normal, 4 refuse.',
    'worker',
  ),
  fact('sluice_in_flight', 'gauge', 'Exchanges under way.'),
  fact('sluice_upstream_connections', 'gauge', 'Connections to servers that are open.'),
  fact(
    'traefik_service_server_up',
    'gauge',
    'Whether a server that is looked after is up.',
    'service',
    'url',
  ),
  fact('sluice_cache_bytes', 'gauge', 'Memory of the responses that are stored.', 'middleware'),
  fact('sluice_cache_entries', 'gauge', 'Responses that are stored.', 'middleware'),
  fact(
    'sluice_breaker_state',
    'gauge',
    'State of a circuit breaker: 0 closed, 1 open, 2 recovering.',
    'middleware',
    'router',
  ),
  fact(
    'sluice_buffering_disk_bytes',
    'gauge',
    'Bytes that files of bodies of buffering middlewares have taken of buffering.diskBytesMax.',
  ),
  fact('sluice_shared_slots', 'gauge', 'Records that all workers together have room for.'),
  fact('sluice_shared_slots_used', 'gauge', 'Records that have a name, in use or not given back.'),
  fact('sluice_access_log_lost_total', 'counter', 'Access log lines that could not be written.'),
  fact(
    'sluice_series_overflow_total',
    'counter',
    'Counts without labels because a worker has no room for more series.',
  ),
]

export const processFacts: readonly MetricFact[] = [
  fact('process_cpu_seconds_total', 'counter', 'Processor time of all threads.'),
  fact('process_start_time_seconds', 'gauge', 'When the process began, seconds since the epoch.'),
  fact('process_resident_memory_bytes', 'gauge', 'Memory of the process that is in RAM.'),
  fact('process_open_fds', 'gauge', 'File descriptors in use.'),
  fact('process_max_fds', 'gauge', 'File descriptors that the process may use.'),
  fact('nodejs_heap_size_total_bytes', 'gauge', "Heap of the supervisor's thread."),
  fact('nodejs_heap_size_used_bytes', 'gauge', "Used part of the supervisor's heap."),
  fact('nodejs_external_memory_bytes', 'gauge', "Memory bound to the supervisor's objects."),
  fact('nodejs_version_info', 'gauge', 'Version of Node.js; the value is 1.', 'version'),
]
