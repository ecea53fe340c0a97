import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ResidentMemory } from './resident-memory.ts'

test('it is what Node says, or near it', () => {
  const ratio = new ResidentMemory().read() / process.memoryUsage.rss()
  expect(ratio).toBeGreaterThan(0.8)
  expect(ratio).toBeLessThan(1.25)
})

test('a process without a descriptor left still knows it', (context) => {
  if (spawnSync('prlimit', ['--version']).error) return context.skip('prlimit is not installed')
  const script = `
    import { openSync } from 'node:fs'
    import { execFileSync } from 'node:child_process'
    import { ResidentMemory } from ${JSON.stringify(join(import.meta.dirname, 'resident-memory.ts'))}
    const memory = new ResidentMemory()
    execFileSync('prlimit', ['--pid=' + process.pid, '--nofile=64:64'])
    try { for (;;) openSync('/dev/null') } catch (fault) { console.log(fault.code) }
    console.log(memory.read() > 1e6)`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script])
  expect(String(stdout).trim().split('\n')).toEqual(['EMFILE', 'true'])
})
