// config/static/overload.ts: when a gateway that has more to do than it can begins to shed, and what. Ours; Traefik has
// nothing of the kind. docs/overload.md explains the stages. Hot: no.

import { z } from 'zod'
import { bytes } from '../schema.ts'
import { block, extension, flag, time } from './blocks.ts'

const percent = (value: number, note: string) =>
  extension(z.number().min(1).max(1000).default(value), note)

export const overload = extension(
  block({
    enabled: extension(flag(true), 'watches memory and event loops'),
    turnTarget: extension(
      time(5),
      'while turns of an event loop take longer, requests of classes low and normal wait so that they do not',
    ),
    queueMax: extension(
      z.int().min(0).max(100_000).default(4096),
      'requests that wait, per worker',
    ),
    queueTimeout: extension(time(2000), 'a request that has waited so long is answered 503'),
    loop: extension(
      block({
        shedLow: extension(time(250), '503 for class low'),
        shedNormal: extension(time(1000), '503 for classes low and normal'),
        refuseConnections: extension(time(3000), 'new connections are closed'),
      }),
      'length of a turn of the event loop that leads to each stage',
    ),
    memoryLimit: extension(
      bytes.default(0),
      'of the process; 0: that of the control group, else of the machine',
    ),
    memory: extension(
      block({
        closeConnections: percent(85, 'connections end after their exchange'),
        shedLow: percent(90, '503 for class low'),
        shedNormal: percent(95, '503 for classes low and normal'),
        refuseConnections: percent(98, 'new connections are closed'),
      }),
      'percent of memoryLimit that lead to each stage',
    ),
  }),
  'sheds what matters least when there is more to do than can be done',
)
