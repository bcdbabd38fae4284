import { expect, it } from 'vitest'
import { StreamPair } from './support/pair.ts'

const CONNECTS = 64

it('many connects at once to an address that is not resolved yet all succeed, on one question', async () => {
  const pair = await StreamPair.create()
  const { a, b } = pair
  b.listen(pair.listener, CONNECTS)
  const accepts = Array.from({ length: CONNECTS }, () => b.accept(pair.listener))
  const clients = Array.from({ length: CONNECTS }, () => a.socket('stream'))
  const asked = pair.counter(a, 'arp.arpOutRequests')
  const connects = clients.map((qd) => a.connect(qd, { address: '10.0.0.2', port: 80 }))
  const done = a.runtime.waitAll(connects, 60e9)
  expect(done.map(({ kind, qd }) => [kind, qd])).toEqual(clients.map((qd) => ['connect', qd]))
  expect(pair.counter(a, 'arp.arpOutRequests') - asked).toBe(1)
  for (const completion of b.runtime.waitAll(accepts, 60e9)) {
    if (completion.kind !== 'accept') throw new Error(completion.kind)
    b.close(completion.accepted)
  }
  for (const qd of clients) a.close(qd)
  pair.run(2000)
  expect(await pair.close()).toBe(0)
})

it('many connects to an address that nobody has all fail, each once', async () => {
  const pair = await StreamPair.create()
  const { a } = pair
  const clients = Array.from({ length: CONNECTS }, () => a.socket('stream'))
  const connects = clients.map((qd) => a.connect(qd, { address: '10.0.0.99', port: 80 }))
  for (const completion of a.runtime.waitAll(connects, 600e9)) {
    expect(completion).toMatchObject({ kind: 'failed', code: 'EHOSTUNREACH' })
  }
  expect(a.runtime.outstanding).toBe(0)
  for (const qd of clients) a.close(qd)
  expect(await pair.close()).toBe(0)
})
