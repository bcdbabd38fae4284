import type { NetworkLibOS, QueueDescriptor, SocketOption, SocketOptions } from '@parakernel/queue'
import { expect } from 'vitest'
import type { Section } from '../section.ts'

const code = (value: string) => expect.objectContaining({ code: value })

interface Row<K extends SocketOption = SocketOption> {
  readonly option: K
  /** Undefined: the libOS's choice. */
  readonly byDefault: SocketOptions[K] | undefined
  readonly good: readonly SocketOptions[K][]
  readonly bad: readonly unknown[]
}

const row = <K extends SocketOption>(
  option: K,
  byDefault: SocketOptions[K] | undefined,
  good: readonly SocketOptions[K][],
  bad: readonly unknown[],
): Row => ({ option, byDefault, good, bad }) as unknown as Row

const ROWS: readonly Row[] = [
  row('noDelay', false, [true, false], [1, 'yes']),
  row('keepAlive', false, [true, false], [0, null]),
  row('keepAliveIdle', 7_200_000, [1000, 60_000], [0, -1, 0.5, '1']),
  row('keepAliveInterval', 75_000, [1000, 5000], [0, -1, Number.NaN]),
  row('keepAliveProbes', 9, [1, 20], [0, 1.5]),
  row('userTimeout', 0, [30_000, 0], [-1, '5']),
  row('linger', -1, [0, 1500, -1], [-2, 0.5]),
  row('receiveBuffer', 0, [65_536, 0], [-1, 1.5]),
  row('sendBuffer', 0, [65_536, 0], [-1, Number.POSITIVE_INFINITY]),
  row('notSentLowWater', 0, [16_384, 0], [-1, '1']),
  row('maximumSegment', 0, [536, 1200, 0], [87, -1, 65_536]),
  row('congestionControl', undefined, ['newreno', 'cubic'], ['reno', '', 1]),
  row('ttl', 64, [1, 255], [0, 256]),
]

const OF_DATAGRAMS: readonly SocketOption[] = ['broadcast', 'multicastTtl', 'multicastLoop', 'receiveQueue']

/** To be called as no typed caller would. */
function setAnything(libos: NetworkLibOS, qd: QueueDescriptor, option: SocketOption, value: unknown): void {
  libos.setsockopt(qd, option, value as never)
}

export const streamOptions: Section = {
  name: 'streams: options',
  needs: ['streams'],
  cases(define) {
    for (const { option, byDefault, good, bad } of ROWS) {
      define(`${option} has its default, keeps what it is set to, and refuses what it cannot be`, async (pair) => {
        const { a } = pair
        const { client } = await pair.connected()
        for (const qd of [a.socket('stream'), client]) {
          if (pair.suite.missingStreamOptions?.includes(option)) {
            expect(() => a.getsockopt(qd, option)).toThrow(code('ENOPROTOOPT'))
            expect(() => setAnything(a, qd, option, good[0])).toThrow(
              expect.objectContaining({ code: 'ENOPROTOOPT', remedy: expect.any(String) }),
            )
            continue
          }
          if (byDefault !== undefined) expect(a.getsockopt(qd, option)).toBe(byDefault)
          else expect(good).toContain(a.getsockopt(qd, option))
          for (const value of good) {
            setAnything(a, qd, option, value)
            expect(a.getsockopt(qd, option)).toBe(value)
          }
          for (const value of bad) {
            expect(() => setAnything(a, qd, option, value), `${option} = ${value}`).toThrow(code('EINVAL'))
          }
          expect(a.getsockopt(qd, option)).toBe(good.at(-1))
        }
      })
    }

    define('of datagrams are not of streams, nor the other way round', (pair) => {
      const { a } = pair
      const stream = a.socket('stream')
      for (const option of OF_DATAGRAMS) {
        expect(() => a.getsockopt(stream, option), option).toThrow(code('ENOPROTOOPT'))
      }
      const { qd } = pair.open(a)
      for (const { option } of ROWS) {
        if (option !== 'ttl') expect(() => a.getsockopt(qd, option), option).toThrow(code('ENOPROTOOPT'))
      }
      expect(() => a.getsockopt(stream, 'nagle' as 'noDelay')).toThrow(code('ENOPROTOOPT'))
    })

    define('of a listener are those that its connections begin with', async (pair) => {
      const { b } = pair
      const listener = pair.listen(b)
      b.setsockopt(listener.qd, 'noDelay', true)
      b.setsockopt(listener.qd, 'linger', 2000)
      b.setsockopt(listener.qd, 'receiveBuffer', 50_000)
      const { server } = await pair.connected({ listener })
      expect(b.getsockopt(server, 'noDelay')).toBe(true)
      expect(b.getsockopt(server, 'linger')).toBe(2000)
      expect(b.getsockopt(server, 'receiveBuffer')).toBe(50_000)
    })

    define('noDelay sends every push at once', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected({ prepare: (qd) => a.setsockopt(qd, 'noDelay', true) })
      for (const text of ['a', 'b', 'c', 'd']) {
        await pair.write(a, client, text)
        await pair.fixture.settle()
        expect((await pair.receive(b, server)).text).toBe(text)
      }
    })
  },
}
