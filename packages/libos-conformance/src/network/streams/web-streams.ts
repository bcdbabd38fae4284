import { connectStream } from '@parakernel/queue'
import { expect } from 'vitest'
import { expectPattern, pattern } from '../pair.ts'
import type { Section } from '../section.ts'
import { code, nothingLeft, open, text } from './streams-opened.ts'

export const webStreams: Section = {
  name: 'streams: web streams',
  needs: ['streams'],
  cases(define) {
    define('are web streams, with pipes that wait', async (pair) => {
      const { a, b } = pair
      const { client, server, listener } = await open(pair)
      const echo = server.readable.pipeTo(server.writable)
      let at = 0
      const total = 1_000_000
      const source = new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(pattern(Math.min(10_000, total - at), 9, at))
          at += 10_000
          if (at >= total) controller.close()
        },
      })
      const sent = source.pipeTo(client.writable)
      let received = 0
      for await (const bytes of client.readable) {
        expectPattern(bytes, 9, received)
        expect(bytes.buffer).toBeInstanceOf(ArrayBuffer)
        received += bytes.byteLength
      }
      expect(received).toBe(total)
      await Promise.all([echo, sent])
      listener.close()
      await nothingLeft(pair, a, b)
    })

    define('read into the buffer of a BYOB reader, and no more than fits', async (pair) => {
      const { client, server } = await open(pair)
      const reader = client.readable.getReader({ mode: 'byob' })
      await server.write('one and two')
      await pair.fixture.settle()
      const first = await reader.read(new Uint8Array(3))
      expect(text(first.value)).toBe('one')
      const second = await reader.read(new Uint8Array(100))
      expect(text(second.value)).toBe(' and two')
      await server.end()
      expect((await reader.read(new Uint8Array(10))).done).toBe(true)
    })

    define('abort from either web stream', async (pair) => {
      const { client, server, listener } = await open(pair)
      await client.readable.cancel()
      await expect(server.read()).rejects.toThrow(code('ECONNRESET'))
      const accepted = listener.accept()
      const again = await connectStream(pair.a, listener.address)
      const peer = await accepted
      await again.writable.abort('enough')
      await expect(peer.read()).rejects.toThrow(code('ECONNRESET'))
    })
  },
}
