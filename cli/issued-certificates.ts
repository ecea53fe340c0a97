// cli/issued-certificates.ts: certificatesResolvers, ocsp and spiffe in a running gateway: wishes go to the manager,
// certificates, SVIDs and answers of OCSP come back into the configuration, and answers to challenges into the workers.
//
// Owner:  the gateway. What the install configuration does not ask for is not even loaded. Not hot.

import type { CertificateManager } from '../certificates/manager/manager.ts'
import type { OcspStapler } from '../certificates/ocsp/stapler.ts'
import type { SpiffeSource } from '../certificates/spiffe/source.ts'
import type { Generation } from '../config/generation.ts'
import type { ChallengePlan } from '../config/protocol-plans.ts'
import { parseWorkloadAddress } from '../config/spiffe.ts'
import type { StaticConfig } from '../config/static.ts'
import type { OperationsLog, Supervisor } from '../workers/supervisor.ts'
import type { Configuration } from './configuration.ts'

const CONVERGE_WITHIN_MS = 30_000
const SVID_WITHIN_MS = 3000 // an agent of the same machine; whoever needs an SVID and has none is answered 502

interface Waiting {
  readonly wanted: string
  readonly done: () => void
}

export class IssuedCertificates {
  private readonly configuration: Configuration
  private readonly supervisor: Supervisor
  private manager: CertificateManager | null = null
  private stapler: OcspStapler | null = null
  private spiffe: SpiffeSource | null = null
  private served = '' // names of the challenges that every worker answers
  private readonly waiting = new Set<Waiting>()

  constructor(configuration: Configuration, supervisor: Supervisor) {
    this.configuration = configuration
    this.supervisor = supervisor
    supervisor.on('converged', () => this.converged(supervisor.generation))
  }

  // Before the first compilation, which then has what is stored. The manager is loaded only here: few need it.
  async start(resolvers: StaticConfig['certificatesResolvers'], log: OperationsLog): Promise<void> {
    const { CertificateManager } = await import('../certificates/manager/manager.ts')
    this.manager = new CertificateManager({
      resolvers,
      environment: process.env,
      log,
      onCertificates: (plans) => this.configuration.setIssued(plans),
      publishChallenges: (plans) => this.publishChallenges(plans),
    })
    await this.manager.start()
  }

  // After each compilation.
  compiled(): void {
    const { wishes, configured } = this.configuration
    this.manager?.want(wishes, configured)
  }

  // Before the first compilation too: it says for which certificates answers are wanted.
  async startStapler(
    { responderOverrides }: NonNullable<StaticConfig['ocsp']>,
    log: OperationsLog,
  ): Promise<void> {
    const { OcspStapler } = await import('../certificates/ocsp/stapler.ts')
    const { configuration } = this
    const onChange = (): void => configuration.restaple()
    this.stapler = new OcspStapler({ responderOverrides, log, onChange })
    configuration.stapler = this.stapler
  }

  // Before the first compilation, which then has an SVID, unless the agent takes its time.
  async startSpiffe(workloadApi: string, log: OperationsLog): Promise<void> {
    const { SpiffeSource } = await import('../certificates/spiffe/source.ts')
    const { configuration } = this
    const address = parseWorkloadAddress(workloadApi)! // the schema has checked it
    const onChange = configuration.setSpiffe.bind(configuration)
    this.spiffe = new SpiffeSource({ address, log, onChange })
    configuration.svid = this.spiffe
    this.spiffe.start()
    await this.spiffe.first(SVID_WITHIN_MS)
  }

  async close(): Promise<void> {
    this.spiffe?.close()
    this.stapler?.close()
    await this.manager?.close()
  }

  // Done when every worker answers with exactly these; the authority may ask any of them.
  private publishChallenges(plans: readonly ChallengePlan[]): Promise<void> {
    const wanted = namesOf(plans)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(entry)
        reject(new Error('workers did not take up the answers to challenges in time'))
      }, CONVERGE_WITHIN_MS)
      const entry: Waiting = {
        wanted,
        done: () => {
          clearTimeout(timer)
          this.waiting.delete(entry)
          resolve()
        },
      }
      this.waiting.add(entry)
      this.configuration.setChallenges(plans)
      this.look()
    })
  }

  private converged(generation: Generation): void {
    this.served = namesOf([...generation.challenges.values()])
    this.look()
  }

  private look(): void {
    for (const entry of this.waiting) if (entry.wanted === this.served) entry.done()
  }
}

function namesOf(plans: readonly ChallengePlan[]): string {
  return plans
    .map(({ name }) => name)
    .sort()
    .join('\n')
}
