import type { QueueToken } from '@parakernel/queue'
import { expect } from 'vitest'
import type { Connection, Pair } from '../pair.ts'
import type { Section } from '../section.ts'
import { fill } from './backpressure.ts'

interface Waiting {
  readonly token: QueueToken
  /** Lets the peer take what was sent, so that an orderly close can end. */
  readonly drain: () => Promise<void>
}

/** An operation that cannot complete by itself: a pop of nothing, or a push that finds no room. */
async function start(pair: Pair, { client, server }: Connection, operation: 'push' | 'pop'): Promise<Waiting> {
  if (operation === 'pop') return { token: pair.a.pop(client), drain: async () => {} }
  const { waits } = await fill(pair, client)
  return { token: waits, drain: async () => void (await pair.readPattern(pair.b, server, 5)) }
}

/**
 * Demikernel's six: who waits for a push or a pop while its queue is closed, at once, or in order and waited for before or behind. An
 * orderly close finishes pushes, and ends pops.
 */
export const closeScenarios: Section = {
  name: 'streams: waiting while closing',
  needs: ['streams'],
  cases(define) {
    for (const operation of ['push', 'pop'] as const) {
      const ended = async (pair: Pair, token: QueueToken) => {
        if (operation === 'pop') await pair.fails(pair.a, token, 'ECANCELED')
        else await pair.done(pair.a, token, 'push')
      }

      define(`a ${operation} after close`, async (pair) => {
        const connection = await pair.connected()
        const { token } = await start(pair, connection, operation)
        pair.a.close(connection.client)
        await pair.fails(pair.a, token, 'ECANCELED')
        expect(pair.a.runtime.outstanding).toBe(0)
      })

      define(`a ${operation} after an orderly close that was waited for`, async (pair) => {
        const connection = await pair.connected()
        const { token, drain } = await start(pair, connection, operation)
        const close = pair.a.asyncClose(connection.client)
        const [completion] = await Promise.all([pair.a.runtime.completion(close), drain()])
        expect(completion).toMatchObject({ kind: 'close', token: close })
        await ended(pair, token)
        expect(pair.a.runtime.outstanding).toBe(0)
      })

      define(`a ${operation} while an orderly close is pending`, async (pair) => {
        const connection = await pair.connected()
        const { token, drain } = await start(pair, connection, operation)
        const close = pair.a.asyncClose(connection.client)
        await Promise.all([ended(pair, token), drain()])
        await pair.done(pair.a, close, 'close')
        expect(pair.a.runtime.outstanding).toBe(0)
      })
    }
  },
}
