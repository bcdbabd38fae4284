import type { Example } from '../example.ts'

export const dump: Example = {
  name: 'dump',
  summary:
    'prints the datagrams that a filter lets through, and counts the others; the other end sends some of several kinds',
  ends: [{ name: 'dump' }, { name: 'sender', acts: true }],
  settings: {
    filter: {
      type: 'string',
      default: 'payload[0:1] == 2 and length(payload) > 24 or payload[1:2] == 0xbeef',
      description: 'which datagrams are printed; true for all',
    },
    count: { type: 'integer', min: 1, max: 1_000_000, default: 40, description: 'datagrams that the sender sends' },
  },
}
