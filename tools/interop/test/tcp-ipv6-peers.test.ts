import { describe, expect, test } from 'vitest'
import { OUR_IPV6_ADDRESS, PEER_IPV6_ADDRESS, type Wire } from '../src/lab.ts'
import { note } from '../src/note.ts'
import type { IperfResult } from '../src/programs/iperf/index.ts'
import { patternHash } from '../src/programs/pattern.ts'
import { gigabits, succeed, withPrograms } from '../src/with-programs.ts'

const WIRES: readonly Wire[] = ['af-xdp', 'tap', 'host']
const LENGTH = 20_000_000

describe.each(WIRES)('IPv6 over %s', (wire) => {
  test('ping is answered, fragments too', (context) =>
    withPrograms(context, 'p6', wire, ['ping'], async (lab) => {
      const none = '0% packet loss'
      expect(await succeed(lab, 'ping', '-6', '-q', '-f', '-c', '10000', OUR_IPV6_ADDRESS)).toContain(` ${none}`)
      const long = ['-q', '-c', '20', '-i', '0.01', '-s', '4000']
      expect(await succeed(lab, 'ping', '-6', ...long, OUR_IPV6_ADDRESS)).toContain(` ${none}`)
    }))

  test(`curl gets and puts ${LENGTH / 1e6} MB, and the hashes match`, (context) =>
    withPrograms(context, 'c6', wire, ['curl', 'sha256sum'], async (lab) => {
      const url = `http://[${OUR_IPV6_ADDRESS}]`
      const got = await succeed(lab, 'sh', '-c', `curl -g -sS --fail '${url}/bytes/${LENGTH}' | sha256sum`)
      expect(got).toContain(patternHash(LENGTH))
      const round = `curl -g -sS --fail '${url}/stream/${LENGTH}' | curl -g -sS --fail -T - '${url}/'`
      expect(JSON.parse(await succeed(lab, 'sh', '-c', round))).toEqual({ bytes: LENGTH, sha256: patternHash(LENGTH) })
    }))

  test('nc half closes', (context) =>
    withPrograms(context, 'n6', wire, ['nc'], async (lab) => {
      const echo = `head -c 5000000 /dev/zero | nc -6 -N ${OUR_IPV6_ADDRESS} 7 | wc -c`
      expect((await succeed(lab, 'sh', '-c', echo)).trim()).toBe('5000000')
    }))

  test('iperf3 both ways, as client and as server', (context) =>
    withPrograms(context, 'i6', wire, ['iperf3'], async (lab) => {
      for (const reverse of [false, true]) {
        const options = ['-6', '-c', OUR_IPV6_ADDRESS, '-C', 'reno', '-t', '2', '-J', ...(reverse ? ['-R'] : [])]
        const { end } = JSON.parse(await succeed(lab, 'iperf3', ...options))
        expect(end.sum_received.bytes).toBeGreaterThan(1_000_000)
        const way = reverse ? 'from us' : 'to us'
        note(`${wire}, IPv6: iperf3 ${way}, ${gigabits(end.sum_received.bits_per_second / 8)}`)
      }
      const peer = await lab.start('Server listening', 'iperf3', '-s', '-B', PEER_IPV6_ADDRESS, '--forceflush')
      const server = { address: PEER_IPV6_ADDRESS, port: 5201 }
      const options = { seconds: 2, congestion: 'reno' }
      const result = await lab.machine.call<IperfResult>(0, 'iperf', server, options)
      expect(result.peer.streams[0].bytes).toBeGreaterThan(1_000_000)
      await peer.stop()
    }))
})
