import { defineConfig } from 'vitest/config'

const TESTS = ['src/**/*.test.ts', 'contracts/**/*.test.ts', 'scenarios/**/*.test.ts', 'test/**/*.test.ts']
/** Over real daemons. Each disturbs whatever runs beside it, and is disturbed by it. */
const REAL = TESTS.map((pattern) => pattern.replace('*.test.ts', '*-real.test.ts'))

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    retry: 0,
    allowOnly: false,
    projects: [
      { extends: true, test: { name: 'quick', include: TESTS, exclude: [...REAL, '**/node_modules/**'] } },
      {
        extends: true,
        // One file at a time, which vitest begins when the quick ones have ended.
        test: { name: 'real', include: REAL, fileParallelism: false },
      },
    ],
  },
})
