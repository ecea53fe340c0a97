// config/dynamic/middlewares-gateway.ts: middlewares that stand for filters of the Gateway API. Hot: no.

import { list, map, off } from '../static/blocks.ts'

const modifier = () => off({ set: map(), add: map(), remove: list() })

export const gatewayMiddlewares = {
  requestHeaderModifier: modifier(),
  responseHeaderModifier: modifier(),
}
