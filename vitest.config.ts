import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      'packages/*',
      'apps/*',
      'tools/bench',
      'tools/checks',
      'tools/interop',
      'tools/lab',
      'tools/netsim',
      'tools/packet-scripts',
      'tools/packetdrill',
      'tools/veth',
    ],
    reporters: ['default', './tools/presets/plain-reporter.ts'],
    coverage: { provider: 'v8', include: ['*/*/src/**'] },
  },
})
