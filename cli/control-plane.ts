// cli/control-plane.ts: the half of the gateway that no request needs: what compiles the configuration, renews its
// certificates, and shows and steers what runs.
//
// Owner:  the Gateway, which loads it while the workers load theirs. Hot: no.

import { AdminServer } from '../admin/server.ts'
import type { SeriesIndex } from '../admin/metrics/series-index.ts'
import type { Generation } from '../config/generation.ts'
import type { StaticConfig } from '../config/static.ts'
import type { HealthOverview } from '../workers/health/overview.ts'
import type { Rollouts } from '../workers/rollouts.ts'
import type { OperationsLog, Supervisor } from '../workers/supervisor.ts'
import { Configuration } from './configuration.ts'
import { GatewayState } from './gateway-state.ts'
import { IssuedCertificates } from './issued-certificates.ts'

export interface Controlled {
  readonly log: OperationsLog
  readonly supervisor: Supervisor
  readonly overview: HealthOverview
  readonly rollouts: Rollouts
  readonly series: SeriesIndex | null // null: nobody looks at metrics
  lostLines(): number // of the access log
  publish(generation: Generation): void
}

export class ControlPlane {
  readonly configuration: Configuration
  readonly issued: IssuedCertificates
  private readonly config: StaticConfig
  private readonly log: OperationsLog
  private readonly admin: AdminServer

  constructor(config: StaticConfig, version: string, of: Controlled) {
    const { log, supervisor, overview, rollouts } = of
    this.config = config
    this.log = log
    this.configuration = new Configuration(config, log, (generation) => of.publish(generation))
    this.issued = new IssuedCertificates(this.configuration, supervisor)
    const state = new GatewayState(
      config,
      version,
      supervisor,
      this.configuration,
      overview,
      rollouts,
      () => of.lostLines(),
      of.series,
    )
    this.admin = new AdminServer(state)
  }

  async start(socketPath: string): Promise<void> {
    await this.startResolvers()
    await Promise.all([this.admin.listen(socketPath), this.configuration.start()])
  }

  private async startResolvers(): Promise<void> {
    const { certificatesResolvers, ocsp, spiffe } = this.config
    if (ocsp !== null) await this.issued.startStapler(ocsp, this.log)
    if (spiffe.workloadAPIAddr !== '')
      await this.issued.startSpiffe(spiffe.workloadAPIAddr, this.log)
    if (Object.keys(certificatesResolvers).length === 0) return
    await this.issued.start(certificatesResolvers, this.log)
  }

  close(): void {
    this.configuration.close()
    void this.issued.close()
  }
}
