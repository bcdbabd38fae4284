import type { Example } from '../example.ts'

export const pingPong: Example = {
  name: 'ping-pong',
  summary: 'measures round trips, by promises and by tokens, to a server that answers in the frame that came',
  ends: [{ name: 'server' }, { name: 'client', acts: true }],
  settings: {
    rounds: { type: 'integer', min: 1, max: 1_000_000, default: 1000, description: 'round trips of each face' },
    size: { type: 'integer', min: 8, max: 1400, default: 64, description: 'bytes of a datagram' },
  },
}
