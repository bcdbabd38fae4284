import { connectStream, listenStream, type NetworkLibOS } from '@parakernel/queue'
import { expect } from 'vitest'
import type { Pair } from '../pair.ts'

export const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)
export const code = (value: string) => expect.objectContaining({ code: value })

/** Both ends of a connection, and the listener that it came by. */
export async function open(pair: Pair) {
  const { a, b, fixture } = pair
  const listener = listenStream(b, { address: fixture.addressOfB, port: 0 })
  const accepted = listener.accept()
  const client = await connectStream(a, listener.address)
  return { listener, client, server: await accepted }
}

export async function readAll(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  const all = new Uint8Array(chunks.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.byteLength
  }
  return all
}

/** Everything is given back: tokens and descriptors. */
export async function nothingLeft(pair: Pair, ...libOSes: NetworkLibOS[]): Promise<void> {
  await pair.until('no socket is open', () =>
    libOSes.every((libos) => libos.sockets().every(({ qd }) => qd === undefined) && libos.runtime.outstanding === 0),
  )
}
