import { STREAM_DATA, STREAM_ECHO } from '@parakernel/queue'
import { describe, it } from 'vitest'
import { streamPair } from '../../bench/stream-pair.ts'
import { expectAllocation } from '../support/allocation.ts'

const ECHOES = 1 << 17
/** Less than a boxed number for each. */
const LEAST = 12

describe('streams allocate nothing a segment', { timeout: 240_000 }, () => {
  it('in 131,072 echoes of 64 bytes', async () => {
    const pair = await streamPair({}, { tcpNagle: 'off' })
    const { client, server } = pair
    server.serveStreams(pair.listen(), (burst) => {
      for (let i = 0; i < burst.count; i++) if (burst.event[i] === STREAM_DATA) burst.verdict[i] = STREAM_ECHO
    })
    const { pool } = client
    const frame = pool.allocate()
    const address = pool.address(frame) + pool.headroom
    let answered = 0
    const ask = (qd: number) => {
      pool.retain(frame)
      if (!client.sendStream(qd as Parameters<typeof client.sendStream>[0], frame, address, 64)) pool.release(frame)
    }
    for (let i = 0; i < 16; i++) {
      const qd = pair.connect()
      client.serveStreams(qd, (burst) => {
        for (let j = 0; j < burst.count; j++) {
          if (burst.event[j] !== STREAM_DATA) continue
          answered++
          ask(burst.qd[j])
        }
      })
      ask(qd)
    }
    const run = (count: number) => {
      const end = answered + count
      while (answered < end) pair.poll()
    }
    run(2 * ECHOES)
    // A segment each way.
    await expectAllocation(() => run(ECHOES), 2 * ECHOES * LEAST)
  })
})
