import { defineConfig } from 'vitest/config'

// Workers start child processes and real sockets; two forks match the two cores that CI has.
export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['node_modules/**', 'test/long/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    chaiConfig: { truncateThreshold: 4000 }, // what failed is read in a log: [ …(6) ] says nothing
    expect: { poll: { timeout: 30_000 } }, // as eventually() of test/support/wait.ts: only a hang takes that long
  },
})
