import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { type Lab, OUR_ADDRESS, PEER_ADDRESS, type Wire } from '../src/lab.ts'
import { note } from '../src/note.ts'
import { type Outcomes, WAYS } from '../src/programs/churn/index.ts'
import { patternHash } from '../src/programs/pattern.ts'
import { succeed, withPrograms } from '../src/with-programs.ts'

const churnPeer = fileURLToPath(new URL('../src/peers/churn-peer.ts', import.meta.url))
const COUNT = 1000
const LENGTH = 20_000_000

/** Passive opens of each partition. */
async function opens({ machine }: Lab): Promise<number[]> {
  const { partitions } = await machine.statistics()
  return partitions.map((groups) => groups?.['tcp']?.['tcpPassiveOpens'] ?? 0)
}

/**
 * On a cable of veth the sender's hash of a flow chooses the queue; Linux changes that hash after a retransmission timeout, in
 * search of a better path, and the flow would go to the other partition. A NIC hashes what it receives, and has no such whims.
 */
const STEADY = { 'net.core.txrehash': '0' }

describe.each(['af-xdp', 'tap'] satisfies Wire[])('two partitions with one address, over %s', (wire) => {
  test('share the connections of curl, wrk and Linux sockets, and lose none', (context) =>
    withPrograms(
      context,
      'two',
      wire,
      ['curl', 'sha256sum', 'wrk'],
      async (lab) => {
        for (const way of WAYS) {
          const result = await succeed(lab, process.execPath, churnPeer, 'client', OUR_ADDRESS, way, `${COUNT}`, '50')
          expect(JSON.parse(result), way).toMatchObject({ done: COUNT, wrong: [] })
          for (const partition of [0, 1]) {
            const outcomes = await lab.machine.call<Outcomes>(partition, 'churnOutcomes')
            expect(outcomes[way].wrong).toEqual([])
          }
        }
        const shares = await opens(lab)
        for (const share of shares) expect(share).toBeGreaterThan((WAYS.length * COUNT) / 5)
        const url = `http://${OUR_ADDRESS}`
        const fetches = Array.from({ length: 4 }, () =>
          succeed(lab, 'sh', '-c', `curl -sS --fail ${url}/bytes/${LENGTH} | sha256sum`),
        )
        for (const fetched of await Promise.all(fetches)) expect(fetched).toContain(patternHash(LENGTH))
        const output = await succeed(lab, 'wrk', '-t', '1', '-c', '64', '-d', '3s', `${url}/`)
        expect(output).not.toContain('Socket errors')
        note(`${wire}, 2 partitions: wrk 64 x, ${/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]} requests/s`)
      },
      { queues: 2, sysctls: STEADY },
    ))
})

// A cable of veth has nothing that would bring an answer to the queue of the partition that asked.
test('answers to what each of two partitions opens come to it, over tap, which steers', (context) =>
  withPrograms(
    context,
    'twc',
    'tap',
    [],
    async (lab) => {
      const peer = await lab.start('ready', process.execPath, churnPeer, 'server', PEER_ADDRESS)
      for (const way of WAYS) {
        const both = [0, 1].map((partition) => lab.machine.call(partition, 'churn', PEER_ADDRESS, way, COUNT, 50))
        for (const result of await Promise.all(both)) expect(result, way).toMatchObject({ done: COUNT, wrong: [] })
      }
      await peer.stop()
    },
    { queues: 2 },
  ))
