import {
  DatagramBurst,
  type DatagramHandler,
  formatIpv4,
  KEEP_FRAME,
  NO_REPLY,
  parseIpv4,
  type QueueDescriptor,
  REPLY_HEADROOM,
} from '@parakernel/queue'
import { expect } from 'vitest'
import { type Pair, pattern } from './pair.ts'
import type { Section } from './section.ts'

const PLUS = '+'.charCodeAt(0)

/** Asks `count` questions one after the other and returns the answers. */
async function ask(pair: Pair, qd: QueueDescriptor, port: number, count: number): Promise<string[]> {
  const answers: string[] = []
  for (let i = 0; i < count; i++) {
    await pair.send(pair.a, qd, `q${i}`, { address: pair.fixture.addressOfB, port })
    answers.push((await pair.receive(pair.a, qd)).text)
  }
  return answers
}

export const fastFace: Section = {
  name: 'the fast face',
  cases(define) {
    define('serves datagrams, and sends replies that were written in place', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      const seen: string[] = []
      b.serveDatagrams(server.qd, (burst) => {
        for (let i = 0; i < burst.count; i++) {
          expect(burst.reply[i]).toBe(NO_REPLY)
          expect(burst.localPort[i]).toBe(server.at.port)
          seen.push(`${formatIpv4(burst.peerAddress[i])}:${burst.peerPort[i]}`)
          const length = burst.length[i]
          expect(burst.room[i]).toBeGreaterThan(length)
          b.pool.bytes[burst.address[i] + length] = PLUS
          burst.reply[i] = length + 1
        }
      })
      expect(await ask(pair, client.qd, server.at.port, 4)).toEqual(['q0+', 'q1+', 'q2+', 'q3+'])
      expect(seen).toEqual(Array(4).fill(`${client.at.address}:${client.at.port}`))
    })

    define('sends replies from other frames, and empty ones', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      b.serveDatagrams(server.qd, (burst) => {
        for (let i = 0; i < burst.count; i++) {
          const frame = b.pool.allocate()
          const address = b.pool.address(frame) + REPLY_HEADROOM
          b.pool.bytes.set(pattern(100, burst.length[i]), address)
          burst.replyFrame[i] = frame
          burst.replyAddress[i] = address
          burst.reply[i] = 100
        }
      })
      await pair.send(a, client.qd, 'abc', server.at)
      expect((await pair.receive(a, client.qd)).bytes).toEqual(pattern(100, 3))
      b.serveDatagrams(server.qd, (burst) => {
        for (let i = 0; i < burst.count; i++) burst.reply[i] = 0
      })
      await pair.send(a, client.qd, 'abc', server.at)
      expect(await pair.receive(a, client.qd)).toMatchObject({ text: '', source: server.at })
    })

    define('leaves frames with the handler that keeps them, and takes back the others', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      const kept: { frame: number; text: string }[] = []
      let seen = 0
      b.serveDatagrams(server.qd, (burst) => {
        for (let i = 0; i < burst.count; i++) {
          const bytes = b.pool.bytes.slice(burst.address[i], burst.address[i] + burst.length[i])
          if (seen++ % 2 === 0) {
            kept.push({ frame: burst.frame[i], text: new TextDecoder().decode(bytes) })
            burst.reply[i] = KEEP_FRAME
          }
        }
      })
      for (let i = 0; i < 6; i++) await pair.send(a, client.qd, `q${i}`, server.at)
      await pair.fixture.settle()
      expect(seen).toBe(6)
      expect(kept.map(({ text }) => text)).toEqual(['q0', 'q2', 'q4'])
      for (const { frame } of kept) {
        expect(b.pool.count(frame)).toBe(1)
        b.pool.release(frame)
      }
    })

    define('gives way to pop again when it ends', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      const echo: DatagramHandler = (burst) => {
        for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
      }
      b.serveDatagrams(server.qd, echo)
      expect(await ask(pair, client.qd, server.at.port, 1)).toEqual(['q0'])
      b.serveDatagrams(server.qd, undefined)
      await pair.send(a, client.qd, 'for pop', server.at)
      expect((await pair.receive(b, server.qd)).text).toBe('for pop')
    })

    define('sends bursts from frames, whose references it takes over', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      b.setsockopt(server.qd, 'receiveQueue', 64)
      await pair.send(a, client.qd, 'first', server.at)
      await pair.receive(b, server.qd)
      const burst = new DatagramBurst(32)
      const total = 32
      let sent = 0
      for (let tries = 0; sent < total && tries < 100; tries++) {
        burst.count = 0
        for (let i = sent; i < total; i++) {
          const frame = a.pool.allocate()
          const row = burst.count++
          burst.frame[row] = frame
          burst.address[row] = a.pool.address(frame) + REPLY_HEADROOM
          burst.length[row] = i
          burst.peerAddress[row] = parseIpv4(server.at.address)
          burst.peerPort[row] = server.at.port
          a.pool.bytes.set(pattern(i, i), burst.address[row])
        }
        const taken = a.sendDatagrams(client.qd, burst)
        for (let row = taken; row < burst.count; row++) a.pool.release(burst.frame[row])
        sent += taken
        await pair.fixture.settle()
      }
      expect(sent).toBe(total)
      for (let i = 0; i < total; i++) {
        const { bytes, source } = await pair.receive(b, server.qd)
        expect(bytes).toEqual(pattern(i, i))
        expect(source).toEqual(client.at)
      }
    })
  },
}
