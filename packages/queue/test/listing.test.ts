import { expect, test } from 'vitest'
import { formatSockets, formatStatistics, formatTable, type QueueDescriptor, type SocketInfo } from '../src/index.ts'

const info = (fields: Partial<SocketInfo>): SocketInfo => ({
  qd: 1 as QueueDescriptor,
  type: 'stream',
  family: 'ipv4',
  local: { address: '0.0.0.0', port: 80 },
  peer: undefined,
  state: 'listen',
  receiveQueue: 0,
  sendQueue: 511,
  details: {},
  ...fields,
})

test('a table is as wide as its longest cells, numbers on the right', () => {
  const columns = [{ heading: 'Name' }, { heading: 'N', right: true }, { heading: 'Rest' }]
  expect(formatTable(columns, [])).toBe('Name  N  Rest')
  expect(
    formatTable(columns, [
      ['a', '1', ''],
      ['longer', '1234', 'x'],
    ]),
  ).toBe(['Name       N  Rest', 'a          1', 'longer  1234  x'].join('\n'))
})

test('sockets are listed, listeners first, then streams by port', () => {
  const sockets = [
    info({ type: 'datagram', state: 'bound', local: { address: '::', port: 7 }, family: 'ipv6', sendQueue: 0 }),
    info({
      ...{
        state: 'established',
        local: { address: '10.0.0.1', port: 80 },
        peer: { address: '10.0.0.2', port: 51_234 },
      },
      ...{ receiveQueue: 3, sendQueue: 1448, details: { rtt: 0.25, congestion: 'cubic' } },
    }),
    info({}),
  ]
  expect(formatSockets(sockets).split('\n')).toEqual([
    'Proto  State        Recv-Q  Send-Q  Local        Peer            Details',
    'tcp    listen            0     511  0.0.0.0:80   *',
    'tcp    established       3    1448  10.0.0.1:80  10.0.0.2:51234  rtt 0.25, congestion cubic',
    'udp6   bound             0       0  [::]:7       *',
  ])
})

test('statistics are listed by group, those that counted something', () => {
  const statistics = { ip: { received: 12, dropped: 0 }, udp: { inErrors: 0 }, tcp: { opens: 1 } }
  expect(formatStatistics(statistics)).toBe(['ip:', '  received  12', 'tcp:', '  opens  1'].join('\n'))
  expect(formatStatistics(statistics, { zeros: true, groups: ['udp', 'ip', 'none'] })).toBe(
    ['udp:', '  inErrors  0', 'ip:', '  received  12', '  dropped    0'].join('\n'),
  )
})
