import {
  type NetworkLibOS,
  type QueueDescriptor,
  STREAM_CLOSED,
  STREAM_DATA,
  STREAM_ECHO,
  STREAM_ENDED,
  STREAM_KEEP,
  STREAM_LATER,
  STREAM_OPENED,
  STREAM_RELEASE,
  STREAM_WRITABLE,
  type StreamBurst,
  type StreamHandler,
} from '@parakernel/queue'
import { expect } from 'vitest'
import { type Bound, bytesOf, expectPattern, type Pair, pattern } from '../pair.ts'
import type { Section } from '../section.ts'
import { fill } from './backpressure.ts'

const NAMES: Readonly<Record<number, string>> = {
  [STREAM_OPENED]: 'opened',
  [STREAM_DATA]: 'data',
  [STREAM_ENDED]: 'ended',
  [STREAM_WRITABLE]: 'writable',
  [STREAM_CLOSED]: 'closed',
}

const textAt = ({ pool }: NetworkLibOS, { address, length }: StreamBurst, i: number) =>
  new TextDecoder().decode(pool.bytes.slice(address[i], address[i] + length[i]))

/** A listener of `b` that hands its connections to `handler`. */
function serve(pair: Pair, handler: StreamHandler): Bound {
  const listener = pair.listen(pair.b)
  pair.b.serveStreams(listener.qd, handler)
  return listener
}

async function open(pair: Pair, { at }: Bound): Promise<QueueDescriptor> {
  const client = pair.a.socket('stream')
  await pair.connect(pair.a, client, at)
  return client
}

/** Copies `content` into a frame and sends that; the frame goes back when it was not taken. */
function sendCopy(libos: NetworkLibOS, qd: QueueDescriptor, content: Uint8Array): boolean {
  const { pool } = libos
  const frame = pool.allocate()
  if (frame < 0) return false
  const address = pool.address(frame) + pool.headroom
  pool.bytes.set(content, address)
  const taken = libos.sendStream(qd, frame, address, content.byteLength)
  if (!taken) pool.release(frame)
  return taken
}

export const streamFastFace: Section = {
  name: 'streams: the fast face',
  needs: ['streams'],
  cases(define) {
    define('tells of a connection from its opening to its end, in order', async (pair) => {
      const { a, b } = pair
      const heard: string[] = []
      const qds = new Set<number>()
      const listener = serve(pair, (burst) => {
        for (let i = 0; i < burst.count; i++) {
          const name = NAMES[burst.event[i]]
          expect(burst.verdict[i]).toBe(STREAM_RELEASE)
          qds.add(burst.qd[i])
          heard.push(burst.event[i] === STREAM_DATA ? textAt(b, burst, i) : name)
          if (burst.event[i] === STREAM_ENDED) b.halfClose(burst.qd[i] as QueueDescriptor)
        }
      })
      const client = await open(pair, listener)
      await pair.until('it opened', () => heard.length === 1)
      for (const text of ['one', 'two']) {
        await pair.write(a, client, text)
        await pair.until(text, () => heard.at(-1) === text)
      }
      a.halfClose(client)
      await pair.ended(a, client)
      a.close(client)
      await pair.until('it closed', () => heard.at(-1) === 'closed')
      expect(heard).toEqual(['opened', 'one', 'two', 'ended', 'closed'])
      expect(qds.size).toBe(1)
      const [qd] = qds
      expect(() => b.close(qd as QueueDescriptor)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    })

    define('echoes from where the bytes stand', async (pair) => {
      const { a, b } = pair
      const listener = serve(pair, (burst) => {
        for (let i = 0; i < burst.count; i++) {
          if (burst.event[i] === STREAM_DATA) burst.verdict[i] = STREAM_ECHO
          else if (burst.event[i] === STREAM_ENDED) b.halfClose(burst.qd[i] as QueueDescriptor)
        }
      })
      const client = await open(pair, listener)
      const total = 1 << 20
      const sent = (async () => {
        for (let at = 0; at < total; at += 65_536) await pair.write(a, client, pattern(65_536, 11, at))
        a.halfClose(client)
      })()
      expect(await pair.readPattern(a, client, 11)).toBe(total)
      await sent
    })

    define('leaves frames with the handler that keeps them', async (pair) => {
      const { a, b } = pair
      const kept: { frame: number; text: string }[] = []
      const listener = serve(pair, (burst) => {
        for (let i = 0; i < burst.count; i++) {
          if (burst.event[i] !== STREAM_DATA) continue
          kept.push({ frame: burst.frame[i], text: textAt(b, burst, i) })
          burst.verdict[i] = STREAM_KEEP
        }
      })
      const client = await open(pair, listener)
      for (let i = 0; i < 3; i++) {
        await pair.write(a, client, `number ${i}`)
        await pair.until(`number ${i}`, () => kept.length === i + 1)
      }
      expect(kept.map(({ text }) => text)).toEqual(['number 0', 'number 1', 'number 2'])
      for (const { frame } of kept) {
        expect(b.pool.count(frame)).toBeGreaterThanOrEqual(1)
        b.pool.release(frame)
      }
    })

    define('puts bytes off, and offers them again after resumeStream, once', async (pair) => {
      const { a, b } = pair
      let ready = false
      let offers = 0
      let stream = 0 as QueueDescriptor
      let text = ''
      const listener = serve(pair, (burst) => {
        for (let i = 0; i < burst.count; i++) {
          stream = burst.qd[i] as QueueDescriptor
          if (burst.event[i] !== STREAM_DATA) continue
          offers++
          if (!ready) burst.verdict[i] = STREAM_LATER
          else text += textAt(b, burst, i)
        }
      })
      const client = await open(pair, listener)
      await pair.write(a, client, 'not now')
      await pair.until('an offer', () => offers > 0)
      await pair.fixture.settle()
      expect(text).toBe('')
      ready = true
      b.resumeStream(stream)
      await pair.until('the second offer', () => text === 'not now')
      await pair.write(a, client, ', but then')
      await pair.until('the rest', () => text === 'not now, but then')
    })

    define('lets the window close on a handler that puts everything off', async (pair) => {
      const { a, b } = pair
      let ready = false
      let at = 0
      let stream = 0 as QueueDescriptor
      const listener = serve(pair, (burst) => {
        for (let i = 0; i < burst.count; i++) {
          stream = burst.qd[i] as QueueDescriptor
          if (burst.event[i] !== STREAM_DATA) continue
          if (!ready) burst.verdict[i] = STREAM_LATER
          else {
            expectPattern(b.pool.bytes.slice(burst.address[i], burst.address[i] + burst.length[i]), 5, at)
            at += burst.length[i]
          }
        }
      })
      const client = await open(pair, listener)
      const { taken, waits } = await fill(pair, client)
      ready = true
      b.resumeStream(stream)
      await pair.done(a, waits, 'push')
      await pair.until('all was heard', () => at === taken + 8192)
    })

    define('sends from frames until there is no room, and tells when there is again', async (pair) => {
      const { a, b } = pair
      const total = 3 << 20
      const heard: number[] = []
      let at = 0
      let refused = 0
      const listener = serve(pair, (burst) => {
        for (let i = 0; i < burst.count; i++) {
          heard.push(burst.event[i])
          if (burst.event[i] !== STREAM_OPENED && burst.event[i] !== STREAM_WRITABLE) continue
          const qd = burst.qd[i] as QueueDescriptor
          while (at < total && sendCopy(b, qd, pattern(Math.min(1024, total - at), 12, at))) at += 1024
          if (at < total) refused++
          else b.halfClose(qd)
        }
      })
      const client = await open(pair, listener)
      expect(await pair.readPattern(a, client, 12)).toBe(total)
      expect(refused).toBeGreaterThan(0)
      expect(heard.filter((event) => event === STREAM_WRITABLE).length).toBe(refused)
      expect(heard[0]).toBe(STREAM_OPENED)
      a.close(client)
      await pair.until('it closed', () => heard.at(-1) === STREAM_CLOSED)
    })

    define('refuses bytes for a stream that cannot send any more', async (pair) => {
      const { b } = pair
      const { server } = await pair.connected()
      expect(sendCopy(b, server, bytesOf('taken'))).toBe(true)
      b.halfClose(server)
      expect(sendCopy(b, server, bytesOf('refused'))).toBe(false)
    })

    define('serves a connected socket too, until it gives way to pop again', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      let text = ''
      a.serveStreams(client, (burst) => {
        for (let i = 0; i < burst.count; i++) {
          expect(burst.qd[i]).toBe(client)
          expect(burst.event[i]).toBe(STREAM_DATA)
          text += textAt(a, burst, i)
        }
      })
      await pair.write(b, server, 'to the handler')
      await pair.until('the handler heard it', () => text === 'to the handler')
      a.serveStreams(client, undefined)
      await pair.write(b, server, 'to pop')
      expect(await pair.readText(a, client, 6)).toBe('to pop')
      expect(text).toBe('to the handler')
    })

    define('lets the handler close a connection, of which it hears no more', async (pair) => {
      const { a, b } = pair
      const heard: string[] = []
      const listener = serve(pair, (burst) => {
        for (let i = 0; i < burst.count; i++) {
          heard.push(NAMES[burst.event[i]])
          if (burst.event[i] !== STREAM_DATA) continue
          const qd = burst.qd[i] as QueueDescriptor
          sendCopy(b, qd, bytesOf('good bye'))
          b.close(qd)
        }
      })
      const client = await open(pair, listener)
      await pair.write(a, client, 'hello')
      expect(await pair.readText(a, client, 8)).toBe('good bye')
      await pair.ended(a, client)
      await pair.fixture.settle()
      expect(heard).toEqual(['opened', 'data'])
    })

    define('shows a reset as an end without an end', async (pair) => {
      const { a } = pair
      const heard: string[] = []
      const listener = serve(pair, (burst) => {
        for (let i = 0; i < burst.count; i++) heard.push(NAMES[burst.event[i]])
      })
      const client = await open(pair, listener)
      await pair.until('it opened', () => heard.length === 1)
      a.setsockopt(client, 'linger', 0)
      a.close(client)
      await pair.until('it closed', () => heard.length === 2)
      expect(heard).toEqual(['opened', 'closed'])
    })

    define('keeps the bytes of many connections apart', async (pair) => {
      const { a } = pair
      const listener = serve(pair, (burst) => {
        for (let i = 0; i < burst.count; i++) if (burst.event[i] === STREAM_DATA) burst.verdict[i] = STREAM_ECHO
      })
      const clients = []
      for (let i = 0; i < 20; i++) clients.push(await open(pair, listener))
      await Promise.all(
        clients.map(async (client, seed) => {
          for (let round = 0; round < 10; round++) {
            await pair.write(a, client, pattern(500, seed, round * 500))
            expectPattern(await pair.read(a, client, 500), seed, round * 500)
          }
        }),
      )
    })

    define('is refused to a datagram socket', (pair) => {
      const { a } = pair
      expect(() => a.serveStreams(pair.open(a).qd, () => {})).toThrow(expect.objectContaining({ code: 'ENOTSUP' }))
      expect(() => a.serveDatagrams(a.socket('stream'), () => {})).toThrow(expect.objectContaining({ code: 'ENOTSUP' }))
    })
  },
}
