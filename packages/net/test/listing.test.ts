import { formatSockets, formatStatistics } from '@parakernel/queue'
import { expect, it } from 'vitest'
import { formatInterfaces, formatNeighbors, formatRoutes } from '../src/index.ts'
import { udpFrame } from './support/frames.ts'
import { stackAndWire, teach } from './support/wire.ts'

/** A machine with two interfaces that has answered one datagram, and knows one neighbour. */
async function bench() {
  const options = { ipv6: 'off', gateway: '10.0.0.254' } as const
  const interfaces = [{ name: 'back', options: { address: '10.1.0.1/30', ipv6: 'off' as const } }]
  const made = await stackAndWire(options, { interfaces })
  teach(made)
  const { libos, wire } = made
  const qd = libos.socket('datagram')
  libos.bind(qd, { address: '0.0.0.0', port: 7 })
  libos.serveDatagrams(qd, (burst) => {
    for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
  })
  wire.exchange(udpFrame({ payload: new Uint8Array(20) }))
  return made
}

it('routes, interfaces and neighbours are tables', async () => {
  const { libos, machines } = await bench()
  const { control } = libos
  expect(formatRoutes(control.routes()).split('\n')).toEqual([
    'Destination  Gateway     Interface  Metric  Origin',
    '10.1.0.0/30  *           back            0  connected',
    '10.0.0.0/24  *           net0            0  connected',
    '127.0.0.0/8  *           lo              0  connected',
    'default      10.0.0.254  net0            0  static',
  ])
  const lines = formatInterfaces(control.interfaces(), control.addresses()).split('\n')
  expect(lines.map((line) => line.split(/ {2,}/))).toMatchObject([
    { 0: 'Interface', 10: 'Addresses' },
    { 0: 'net0', 1: 'up', 2: '1500', 3: '02:00:00:00:00:01', 10: '10.0.0.1/24' },
    { 0: 'back', 1: 'up', 10: '10.1.0.1/30' },
    { 0: 'lo', 3: '00:00:00:00:00:00', 10: '127.0.0.1/8' },
  ])
  expect(formatNeighbors(control.neighbors())).toBe(
    ['Address   MAC                State      Interface', '10.0.0.2  02:00:00:00:00:02  reachable  net0'].join('\n'),
  )
  await machines.close()
})

it('sockets and counters are told under their names', async () => {
  const { libos, machines } = await bench()
  expect(formatSockets(libos.sockets())).toContain('udp    bound       0       0  0.0.0.0:7  *')
  const text = formatStatistics(libos.statistics(), { groups: ['udp', 'if-net0'] })
  expect(text).toMatch(/^udp:\n {2}udpInDatagrams {3}1\n {2}udpOutDatagrams {2}1\nif-net0:\n {2}ifInOctets /)
  await machines.close()
})
