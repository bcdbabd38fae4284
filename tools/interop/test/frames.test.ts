import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { OUR_ADDRESS, PEER_ADDRESS, type Wire } from '../src/lab.ts'
import { WAYS } from '../src/programs/churn/index.ts'
import type { IperfResult } from '../src/programs/iperf/index.ts'
import { patternHash } from '../src/programs/pattern.ts'
import { succeed, withPrograms } from '../src/with-programs.ts'

// A pool that checks every frame finds what is right by luck: a frame written while the device transmits it, or after it was
// freed. It is about a hundred times slower, so there is little of everything.

const churnPeer = fileURLToPath(new URL('../src/peers/churn-peer.ts', import.meta.url))
const WIRES: readonly Wire[] = ['af-xdp', 'tap']
const LENGTH = 3_000_000

describe.each(WIRES)('with frames that are checked, over %s', (wire) => {
  test('nothing is written while it is sent, or after it was freed', (context) =>
    withPrograms(
      context,
      'frm',
      wire,
      ['curl', 'sha256sum', 'nc', 'iperf3'],
      async (lab) => {
        const url = `http://${OUR_ADDRESS}`
        const round = `curl -sS --fail ${url}/stream/${LENGTH} | curl -sS --fail -T - ${url}/`
        const expected = { bytes: LENGTH, sha256: patternHash(LENGTH) }
        expect(JSON.parse(await succeed(lab, 'sh', '-c', round))).toEqual(expected)
        const echo = `head -c ${LENGTH} /dev/zero | nc -N ${OUR_ADDRESS} 7 | wc -c`
        expect((await succeed(lab, 'sh', '-c', echo)).trim()).toBe(`${LENGTH}`)
        await succeed(lab, 'sh', '-c', `nc ${OUR_ADDRESS} 19 < /dev/null | head -c ${LENGTH} | wc -c`)
        await succeed(lab, 'iperf3', '-c', OUR_ADDRESS, '-C', 'reno', '-t', '1', '-P', '2')
        await succeed(lab, 'iperf3', '-c', OUR_ADDRESS, '-C', 'reno', '-t', '1', '-P', '2', '-R')
        const iperf = await lab.start('Server listening', 'iperf3', '-s', '-B', PEER_ADDRESS, '--forceflush')
        const server = { address: PEER_ADDRESS, port: 5201 }
        const { bytes } = await lab.machine.call<IperfResult>(0, 'iperf', server, { seconds: 1 })
        expect(bytes).toBeGreaterThan(0)
        await iperf.stop()
        const peer = await lab.start('ready', process.execPath, churnPeer, 'server', PEER_ADDRESS)
        for (const way of WAYS) {
          const result = await succeed(lab, process.execPath, churnPeer, 'client', OUR_ADDRESS, way, '300', '30')
          expect(JSON.parse(result)).toMatchObject({ done: 300, wrong: [] })
          expect(await lab.machine.call(0, 'churn', PEER_ADDRESS, way, 300, 30)).toMatchObject({ done: 300, wrong: [] })
        }
        await peer.stop()
      },
      { config: { frames: { debug: true } } },
    ))
})
