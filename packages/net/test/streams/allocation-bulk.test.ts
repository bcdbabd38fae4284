import { STREAM_WRITABLE } from '@parakernel/queue'
import { describe, it } from 'vitest'
import { streamPair } from '../../bench/stream-pair.ts'
import { expectAllocation } from '../support/allocation.ts'

/** Measured at a time: what each poll allocates, a time read from the clock, stays far from a collection. */
const BYTES = 2 ** 28
/** Less than a boxed number for each. */
const LEAST = 12

describe('streams allocate nothing a segment', { timeout: 240_000 }, () => {
  const variants = [
    ['segmentation and checksums by the device', {}],
    ['checksums in software', { checksumVerify: false, checksumCompute: false, transmitSegmentation: false }],
  ] as const
  for (const [name, nic] of variants) {
    it(`in 256 MiB of bulk transfer, ${name}`, async () => {
      const pair = await streamPair(nic)
      const { client, server } = pair
      let received = 0
      server.serveStreams(pair.listen(), (burst) => {
        for (let i = 0; i < burst.count; i++) received += burst.length[i]
      })
      const qd = pair.connect()
      const { pool } = client
      const frame = pool.allocate()
      const address = pool.address(frame) + pool.headroom
      const fill = () => {
        pool.retain(frame)
        while (client.sendStream(qd, frame, address, 1700)) pool.retain(frame)
        pool.release(frame)
      }
      client.serveStreams(qd, (burst) => {
        for (let i = 0; i < burst.count; i++) if (burst.event[i] === STREAM_WRITABLE) fill()
      })
      fill()
      const move = (bytes: number) => {
        const end = received + bytes
        while (received < end) pair.poll()
      }
      move(2 * BYTES)
      await expectAllocation(() => move(BYTES), (BYTES / 1448) * LEAST)
    })
  }
})
