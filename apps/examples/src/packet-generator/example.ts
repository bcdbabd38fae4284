import type { Example } from '../example.ts'

export const packetGenerator: Example = {
  name: 'packet-generator',
  summary:
    'sends datagrams at a rate by the fast face; the other end counts what arrives, what is lost and what is damaged',
  ends: [{ name: 'counter' }, { name: 'generator', acts: true }],
  settings: {
    count: { type: 'integer', min: 1, max: 100_000_000, default: 2000, description: 'datagrams' },
    rate: { type: 'integer', min: 1, default: 10_000, description: 'datagrams a second' },
    size: { type: 'integer', min: 16, max: 1400, default: 64, description: 'bytes of a datagram' },
  },
}
