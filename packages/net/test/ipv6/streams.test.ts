import { assertNoLeaks } from '@parakernel/hal'
import { sgaFromText } from '@parakernel/queue'
import { expect, it } from 'vitest'
import { type Machine, Machines, SECOND } from '../support/machines.ts'
import { counter } from '../support/wire.ts'

/** Two hosts with a connection over IPv6. */
async function connected() {
  const machines = new Machines()
  const host = (address: string) =>
    machines.add({ options: { address: 'none', addresses: [`${address}/64`], ipv6: 'static', ndProbes: 0 } })
  const [client, server] = [await host('fd00::1'), await host('fd00::2')]
  const listener = server.libos.socket('stream', 'ipv6')
  server.libos.bind(listener, { address: '::', port: 80 })
  server.libos.listen(listener)
  const accept = server.libos.accept(listener)
  const socket = client.libos.socket('stream', 'ipv6')
  expect(client.runtime.wait(client.libos.connect(socket, { address: 'fd00::2', port: 80 }), SECOND)?.kind).toBe(
    'connect',
  )
  const accepted = server.runtime.wait(accept, SECOND)
  if (accepted?.kind !== 'accept') throw new Error('nobody came')
  return { machines, client, server, socket, accepted }
}

function send({ libos, pool, runtime }: Machine, qd: number, text: string): void {
  const sga = sgaFromText(pool, text)
  const token = libos.push(qd as Parameters<typeof libos.push>[0], sga)
  sga.free()
  expect(runtime.wait(token, SECOND)?.kind).toBe('push')
}

it('a connection names its peer, and its progress spares the neighbours probes (RFC 4861 section 7.3.1)', async () => {
  const { machines, client, server, socket, accepted } = await connected()
  expect(accepted.peer.address).toBe('fd00::1')
  const asked = () => [client, server].map(({ libos }) => counter(libos, 'icmp6.ipv6IfIcmpOutNeighborSolicits'))
  const before = asked()
  for (let second = 0; second < 200; second++) {
    send(client, socket, 'tick')
    const pop = server.runtime.wait(server.libos.pop(accepted.accepted), SECOND)
    if (pop?.kind === 'pop') pop.sga.free()
    machines.run(SECOND)
  }
  expect(asked()).toEqual(before)
  expect(client.libos.control.neighbors().find(({ address }) => address === 'fd00::2')?.state).toMatch(
    /reachable|delay/,
  )
  // What is silent for long is asked before it is believed again.
  machines.run(100 * SECOND)
  send(client, socket, 'tick')
  machines.run(20 * SECOND)
  expect(asked()[0]).toBeGreaterThan(before[0])
  await machines.close()
  assertNoLeaks(client.pool)
})
