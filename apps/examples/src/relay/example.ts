import type { Example } from '../example.ts'

export const relay: Example = {
  name: 'relay',
  summary: 'pipes streams to another server and back by qconnect, each half for itself',
  ends: [{ name: 'relay' }, { name: 'origin' }, { name: 'client', acts: true }],
  settings: {
    lines: { type: 'integer', min: 0, max: 1_000_000, default: 1000, description: 'lines that the client sends' },
  },
}
