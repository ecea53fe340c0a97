// cli/gateway-state.ts: the answers to what the admin server asks, read from supervisor and configuration.

import type { AdminState, GenerationInfo, LoadInfo, WorkerRow } from '../admin/state.ts'
import type { RuntimeStatus } from '../config/generation.ts'
import type { StaticConfig } from '../config/static.ts'
import { CONNECTIONS, IN_FLIGHT, UPSTREAM_CONNECTIONS, rowOf } from '../core/shared/control.ts'
import type { Supervisor } from '../workers/supervisor.ts'
import type { Configuration } from './configuration.ts'

export class GatewayState implements AdminState {
  readonly version: string
  readonly startedAt = Date.now()
  readonly staticConfig: StaticConfig
  metrics: AdminState['metrics'] = null
  private readonly supervisor: Supervisor
  private readonly configuration: Configuration

  constructor(
    config: StaticConfig,
    version: string,
    supervisor: Supervisor,
    configuration: Configuration,
  ) {
    this.staticConfig = config
    this.version = version
    this.supervisor = supervisor
    this.configuration = configuration
  }

  get providers(): readonly string[] {
    return this.configuration.providers
  }

  runtime(): RuntimeStatus {
    return this.configuration.status
  }

  generation(): GenerationInfo {
    const { generation, convergenceMs } = this.supervisor
    const loadedAt = this.configuration.lastSuccessAt * 1000
    return { number: generation.number, convergenceMs, loadedAt }
  }

  lastLoad(): LoadInfo {
    const { problems, lastFailedAt, lastSuccessAt } = this.configuration
    return { succeeded: lastFailedAt <= lastSuccessAt, problems }
  }

  workers(): readonly WorkerRow[] {
    const { control, handles } = this.supervisor
    return handles.map((handle) => {
      const row = rowOf(handle.index)
      return {
        index: handle.index,
        state: !handle.isAlive ? 'gone' : handle.listening ? 'serving' : 'starting',
        generation: handle.adopted,
        connections: control[row + CONNECTIONS]!,
        inFlight: control[row + IN_FLIGHT]!,
        upstreamConnections: control[row + UPSTREAM_CONNECTIONS]!,
        restarts: handle.restarts,
      }
    })
  }

  // Active health checks come with the services that have them; until then every server may be asked.
  isUp(_service: string, _url: string): boolean {
    return true
  }
}
