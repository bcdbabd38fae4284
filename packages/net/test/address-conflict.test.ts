import { describe, expect, it } from 'vitest'
import { AddressConflict, type ConflictPolicy } from '../src/arp/address-conflict.ts'
import { seededRandom } from '../src/random.ts'

const SECOND = 1e9

function start(policy: Partial<ConflictPolicy> = {}) {
  const log: [what: string, time: number][] = []
  let now = 0
  const note = (what: string) => () => log.push([what, now / SECOND])
  const effects = { probe: note('probe'), announce: note('announce'), lost: note('lost') }
  const core = new AddressConflict(
    { probe: true, announce: true, defend: true, ...policy },
    seededRandom(7),
    effects,
    0,
  )
  return {
    core,
    log,
    runTo(time: number) {
      for (let next = core.nextEvent(); next <= time * SECOND; next = core.nextEvent()) {
        now = next
        core.poll(now)
      }
      now = time * SECOND
    },
    conflictAt(time: number) {
      this.runTo(time)
      core.conflict(now)
    },
  }
}

describe('an address (RFC 5227)', () => {
  it('is probed three times, 1 to 2 s apart, then announced twice, 2 s apart', () => {
    const { core, log, runTo } = start()
    expect(core.usable).toBe(false)
    runTo(60)
    expect(log.map(([what]) => what)).toEqual(['probe', 'probe', 'probe', 'announce', 'announce'])
    const times = log.map(([, time]) => time)
    expect(times[0]).toBeLessThanOrEqual(1)
    for (const i of [0, 1]) {
      expect(times[i + 1] - times[i]).toBeGreaterThanOrEqual(1)
      expect(times[i + 1] - times[i]).toBeLessThanOrEqual(2)
    }
    expect(times[3] - times[2]).toBeCloseTo(2)
    expect(times[4] - times[3]).toBeCloseTo(2)
    expect(core).toMatchObject({ state: 'settled', usable: true })
  })

  it('is not taken when another host answers a probe', () => {
    const machine = start()
    machine.conflictAt(2)
    machine.runTo(60)
    expect(machine.core).toMatchObject({ state: 'lost', usable: false })
    expect(machine.log.at(-1)?.[0]).toBe('lost')
  })

  it('is announced at once without probing, or not at all', () => {
    const announced = start({ probe: false })
    expect(announced.core.usable).toBe(true)
    announced.runTo(10)
    expect(announced.log).toEqual([
      ['announce', 0],
      ['announce', 2],
    ])
    const silent = start({ probe: false, announce: false })
    silent.runTo(10)
    expect(silent.log).toEqual([])
  })

  it('is defended, at most once in 10 s', () => {
    const machine = start({ probe: false, announce: false })
    for (const second of [1, 2, 5, 10.9, 11, 12]) machine.conflictAt(second)
    expect(machine.log).toEqual([
      ['announce', 1],
      ['announce', 11],
    ])
    expect(machine.core.usable).toBe(true)
  })

  it('is defended once and then given up, if that is the policy', () => {
    const machine = start({ probe: false, announce: false, defend: false })
    machine.conflictAt(1)
    machine.conflictAt(20)
    expect(machine.core.usable).toBe(true)
    machine.conflictAt(25)
    expect(machine.core.usable).toBe(false)
    machine.conflictAt(26)
    expect(machine.log.map(([what]) => what)).toEqual(['announce', 'announce', 'lost'])
  })
})
