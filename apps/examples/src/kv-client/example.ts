import type { Example } from '../example.ts'

/** memcached's protocol is so many ports above the native one. */
export const MEMCACHED = 1000

export const kvClient: Example = {
  name: 'kv-client',
  summary: 'a session with the key-value server: its native protocol by the client library, and memcached by hand',
  ends: [{ name: 'server' }, { name: 'client', acts: true }],
  settings: {
    keys: { type: 'integer', min: 1, max: 10_000, default: 100, description: 'keys that are written and read at once' },
  },
  defaults: { heap: '16MiB' },
}
