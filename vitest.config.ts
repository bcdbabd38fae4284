import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: ['packages/*', 'apps/*', 'tools/checks', 'tools/interop'],
    reporters: ['default', './tools/presets/plain-reporter.ts'],
    coverage: { provider: 'v8', include: ['*/*/src/**'] },
  },
})
