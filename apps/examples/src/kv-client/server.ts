import { randomBytes } from 'node:crypto'
import { type ServerData, partition as store } from '@parakernel/app-kvs/server'
import { type EndContext, serving, Transcript } from '../end.ts'
import { MEMCACHED } from './example.ts'

/** The server of `apps/kvs`, which is a partition as any other. */
export async function partition(context: EndContext) {
  const { port } = context.data.here
  const memcachedPort = port + MEMCACHED
  const data: ServerData = { port, memcachedPort, guard: 'private', key: randomBytes(16), mode: 'store' }
  const { stop } = await store(Object.create(context, { data: { value: data } }))
  return { ...serving(new Transcript()), stop }
}
