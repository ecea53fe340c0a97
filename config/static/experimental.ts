// experimental.*: plugins and switches of Traefik's. Hot: no.

import { z } from 'zod'
import { meta } from '../schema.ts'
import { block, flag, list, named, notYet, noted, off, text } from './blocks.ts'

const settings = block({ envs: list(), mounts: list(), useUnsafe: flag(false) })
const plugin = z.object({ moduleName: text(), version: text(), hash: text(), settings })
const localPlugin = meta(z.object({ moduleName: text(), settings }), { allowEmpty: true })

export const experimental = block({
  plugins: notYet(named(plugin), 'plugins'),
  localPlugins: notYet(named(localPlugin), 'plugins'),
  abortOnPluginFailure: notYet(flag(false), 'plugins'),
  fastProxy: noted(
    off({ debug: flag(false) }),
    'accepted: upstream connections are always made the fast way',
  ),
  otlpLogs: notYet(flag(false), 'OpenTelemetry'),
  knative: notYet(flag(false), 'Kubernetes'),
  kubernetesGateway: notYet(flag(false), 'Kubernetes'),
  kubernetesIngressNGINX: notYet(flag(false), 'Kubernetes'),
})
