// bench/flame/hook.ts: loaded into every thread of the profiled process by NODE_OPTIONS. Profiles its own thread
// for a while after a delay, and writes the profile by itself, so that it doesn't matter how the thread ends.
//
// The delay leaves out start and warm-up: only compiled functions under load are of interest.

import { writeFileSync } from 'node:fs'
import inspector from 'node:inspector'
import path from 'node:path'
import { threadId } from 'node:worker_threads'
import { FLAME_SETTINGS } from './profile.ts'
import type { FlameSettings } from './profile.ts'

const SAMPLING_US = 250

const text = process.env[FLAME_SETTINGS]
if (text !== undefined) {
  const settings = JSON.parse(text) as FlameSettings
  setTimeout(profileThread, settings.delayMs, settings).unref()
}

function profileThread(settings: FlameSettings): void {
  const session = new inspector.Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.setSamplingInterval', { interval: SAMPLING_US })
  session.post('Profiler.start')
  setTimeout(() => {
    session.post('Profiler.stop', (error, result) => {
      if (error !== null) return
      const file = path.join(settings.folder, `thread-${threadId}.cpuprofile`)
      writeFileSync(file, JSON.stringify(result.profile))
    })
  }, settings.profileMs)
}
