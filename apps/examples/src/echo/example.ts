import type { Example } from '../example.ts'

export const echo: Example = {
  name: 'echo',
  summary: 'sends back what it gets, datagrams and streams, from one loop over tokens',
  ends: [{ name: 'server' }, { name: 'client', acts: true }],
  settings: {
    say: { type: 'string[]', description: 'what the client says', default: ['hello', 'is there an echo here?', 'bye'] },
  },
}
