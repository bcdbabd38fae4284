import { CompletionQueue, openDatagrams } from '@parakernel/queue'
import { expect } from 'vitest'
import { pattern } from './pair.ts'
import type { Section } from './section.ts'

const code = (name: string) => expect.objectContaining({ code: name })

export const datagramSocket: Section = {
  name: 'datagrams: promises and iterators',
  cases(define) {
    define('ask and answer', async ({ a, b, fixture }) => {
      using server = openDatagrams(b, { local: { address: fixture.addressOfB, port: 0 } })
      using client = openDatagrams(a)
      const serving = (async () => {
        let count = 0
        for await (const { bytes, source } of server) {
          await server.send(bytes, source)
          count++
        }
        return count
      })()
      for (const text of ['one', 'two', '']) {
        await client.send(text, server.local)
        expect(await client.receive()).toMatchObject({ text, source: server.local })
      }
      const content = pattern(1000)
      await client.send(content, server.local)
      expect((await client.receive()).bytes).toEqual(content)
      server.close()
      expect(await serving).toBe(4)
    })

    define('give up by a signal, and go on', async ({ a, b, fixture }) => {
      using server = openDatagrams(b, { local: { address: fixture.addressOfB, port: 0 } })
      using client = openDatagrams(a)
      const abort = new AbortController()
      const waiting = server.receive({ signal: abort.signal })
      abort.abort(new Error('enough'))
      await expect(waiting).rejects.toThrow('enough')
      await expect(server.receive({ signal: abort.signal })).rejects.toThrow('enough')
      await client.send('after', server.local)
      expect((await server.receive({ signal: new AbortController().signal })).text).toBe('after')
    })

    define('are refused after the end, and cancelled by it', async ({ a, fixture }) => {
      const socket = openDatagrams(a, { local: { address: fixture.addressOfA, port: 0 } })
      expect(() => openDatagrams(a, { local: socket.local })).toThrow(code('EADDRINUSE'))
      const waiting = socket.receive()
      socket.close()
      await expect(waiting).rejects.toThrow(code('ECANCELED'))
      await expect(socket.receive()).rejects.toThrow(code('EBADF'))
      await expect(socket.send('x', socket.local)).rejects.toThrow(code('EBADF'))
      socket.close()
    })

    define('are served beside others in one completion queue', async (pair) => {
      const { a, b } = pair
      const [client, first, second] = [pair.open(a), pair.open(b), pair.open(b)]
      const completions = new CompletionQueue(b.runtime)
      completions.add(b.pop(first.qd), b.pop(second.qd))
      for (const { at } of [first, second]) await pair.send(a, client.qd, `to ${at.port}`, at)
      const heard: string[] = []
      for await (const done of completions) {
        if (done.kind !== 'pop') throw new Error(done.kind)
        heard.push(new TextDecoder().decode(done.sga.toBytes()))
        done.sga.free()
      }
      expect(heard.sort()).toEqual([first, second].map(({ at }) => `to ${at.port}`).sort())
    })
  },
}
