import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { type Lab, OUR_ADDRESS, PEER_ADDRESS, type Wire } from '../src/lab.ts'
import { note } from '../src/note.ts'
import { type Outcomes, WAYS, type Way } from '../src/programs/churn/index.ts'
import { succeed, withPrograms } from '../src/with-programs.ts'

const churnPeer = fileURLToPath(new URL('../src/peers/churn-peer.ts', import.meta.url))
/** Connections are opened and ended for so long, in seconds; `INTEROP_SOAK=600` is the soak proper. */
const SECONDS = Number(process.env['INTEROP_SOAK'] ?? 12)
/** Connections in one go. */
const BATCH = 300
/**
 * What the heap may grow by from the first third to the end: caches, compiled code, and in short runs tables that have not reached
 * their size, but nothing for each connection.
 */
const GROWTH = (SECONDS < 60 ? 6 : 3) << 20

/** Batches of every way from either side, the ways side by side in an order of their own, until the time is over. */
async function churnUntil(lab: Lab, end: number): Promise<number> {
  const lanes: (readonly [side: 'linux' | 'us', ways: readonly Way[]])[] = [
    ['linux', WAYS],
    ['linux', WAYS.toReversed()],
    ['us', WAYS],
    ['us', WAYS.toReversed()],
  ]
  let connections = 0
  const lane = async ([side, ways]: (typeof lanes)[number]) => {
    for (let i = 0; Date.now() < end; i++) {
      const way = ways[i % ways.length]
      const result =
        side === 'us'
          ? await lab.machine.call(0, 'churn', PEER_ADDRESS, way, BATCH, 20)
          : JSON.parse(await succeed(lab, process.execPath, churnPeer, 'client', OUR_ADDRESS, way, `${BATCH}`, '20'))
      expect(result, `${way}, opened by ${side}`).toMatchObject({ done: BATCH, wrong: [] })
      connections += BATCH
    }
  }
  await Promise.all(lanes.map(lane))
  return connections
}

describe.each(['af-xdp', 'tap'] satisfies Wire[])(`${SECONDS} seconds of connections over %s`, (wire) => {
  test(
    'leave no memory behind, in the heap or the pool',
    (context) =>
      withPrograms(context, 'soak', wire, [], async (lab) => {
        const peer = await lab.start('ready', process.execPath, churnPeer, 'server', PEER_ADDRESS)
        const begin = Date.now()
        let connections = await churnUntil(lab, begin + (SECONDS * 1000) / 3)
        const before = await lab.machine.call<number>(0, 'heap')
        connections += await churnUntil(lab, begin + SECONDS * 1000)
        const after = await lab.machine.call<number>(0, 'heap')
        const outcomes = await lab.machine.call<Outcomes>(0, 'churnOutcomes')
        for (const way of WAYS) expect(outcomes[way].wrong).toEqual([])
        note(
          `${wire}: ${connections} connections in ${SECONDS} s, heap ${mebibytes(before)} to ${mebibytes(after)} MiB`,
        )
        expect(after - before).toBeLessThan(GROWTH)
        await peer.stop()
      }),
    SECONDS * 1000 + 120_000,
  )
})

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
