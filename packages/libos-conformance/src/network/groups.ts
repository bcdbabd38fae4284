import { expect } from 'vitest'
import type { Pair } from './pair.ts'
import type { Section } from './section.ts'

const GROUP = '239.7.11.13'
const OTHER_GROUP = '239.7.11.14'

const code = (value: string) => expect.objectContaining({ code: value })

/** A socket of `b` at the wildcard address, where groups are heard, and one of `a` to send from. */
function members(pair: Pair) {
  const { a, b, fixture } = pair
  const qd = b.socket('datagram')
  b.bind(qd, { address: '0.0.0.0', port: 0 })
  const { port } = b.getsockname(qd)
  return { qd, port, unicast: { address: fixture.addressOfB, port }, sender: pair.open(a) }
}

export const groups: Section = {
  name: 'groups',
  cases(define) {
    define(
      'are heard from joining until leaving',
      async (pair) => {
        const { a, b } = pair
        const { qd, port, unicast, sender } = members(pair)
        await pair.send(a, sender.qd, 'too early', { address: GROUP, port })
        await pair.fixture.settle()
        b.joinGroup(qd, GROUP)
        await pair.fixture.settle()
        await pair.send(a, sender.qd, 'to the members', { address: GROUP, port })
        await pair.send(a, sender.qd, 'to another group', { address: OTHER_GROUP, port })
        await pair.fixture.settle()
        b.leaveGroup(qd, GROUP)
        await pair.fixture.settle()
        await pair.send(a, sender.qd, 'too late', { address: GROUP, port })
        await pair.fixture.settle()
        await pair.send(a, sender.qd, 'end', unicast)
        expect(await pair.receive(b, qd)).toMatchObject({ text: 'to the members', source: sender.at })
        expect((await pair.receive(b, qd)).text).toBe('end')
      },
      'multicast',
    )

    define(
      'are joined and left once',
      (pair) => {
        const { b } = pair
        const { qd } = members(pair)
        b.joinGroup(qd, GROUP)
        expect(() => b.joinGroup(qd, GROUP)).toThrow(code('EADDRINUSE'))
        b.leaveGroup(qd, GROUP)
        expect(() => b.leaveGroup(qd, GROUP)).toThrow(code('EADDRNOTAVAIL'))
        expect(() => b.joinGroup(qd, pair.fixture.addressOfB)).toThrow(code('EINVAL'))
      },
      'multicast',
    )

    define(
      "are looped back to the sender's own members",
      async (pair) => {
        const { b } = pair
        const { qd, port } = members(pair)
        b.joinGroup(qd, GROUP)
        await pair.send(b, qd, 'to ourselves', { address: GROUP, port })
        expect((await pair.receive(b, qd)).text).toBe('to ourselves')
      },
      'multicast',
    )

    define(
      'are not looped back when that is switched off',
      async (pair) => {
        const { b } = pair
        const { qd, port, unicast } = members(pair)
        b.joinGroup(qd, GROUP)
        b.setsockopt(qd, 'multicastLoop', false)
        await pair.send(b, qd, 'to the others', { address: GROUP, port })
        await pair.fixture.settle()
        await pair.send(pair.a, pair.open(pair.a).qd, 'end', unicast)
        expect((await pair.receive(b, qd)).text).toBe('end')
      },
      'multicastLoopOff',
    )
  },
}
