import type { NetDevice } from '@parakernel/hal'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Lease, Resource } from '../../src/index.ts'
import type { LeaseReport, LeaseScript } from '../workers/lease-partition.ts'
import { Bed, FRAMES, MILLISECOND, type Owner, settle } from './support/bed.ts'

const ECANCELED = -125
/** Far more than any command takes. */
const LONG = 20 * MILLISECOND
/** Virtual time passes in such steps, between which the control plane has its turn. */
const STEP = MILLISECOND / 10

/** A partition as the model knows it. */
interface Known {
  readonly owner: Owner
  /** Cookies of writes that the disk took. */
  readonly submitted: Set<number>
}

/** Who holds each resource as the model says: `moving` while a lease is being revoked. */
interface Model {
  readonly held: Map<string, Known | 'moving'>
  nicIsGone: boolean
}

/** The lease table over an emulated NIC, disk and memory, with partitions on a virtual clock. */
class System {
  readonly bed = new Bed('inline', { latency: MILLISECOND, queues: 2 })
  readonly resources: ReadonlyMap<string, Resource>
  readonly living: Known[] = []
  #cookie = 0
  #names = 0
  /** What went wrong in the background. */
  readonly wrong: unknown[] = []

  constructor() {
    const { bed } = this
    this.resources = new Map([
      ['nic/0', bed.netQueue(0)],
      ['nic/1', bed.netQueue(1)],
      ['peer/0', bed.netQueue(0, bed.peer)],
      ['disk/0', bed.blockQueue(0)],
      ['disk/1', bed.blockQueue(1)],
      ['memory/0', bed.persistentRange(0)],
    ])
  }

  async start(data: LeaseScript): Promise<Known> {
    const known = { owner: await this.bed.start(`p${this.#names++}`, [], data), submitted: new Set<number>() }
    this.living.push(known)
    return known
  }

  lease(name: string): Lease | undefined {
    const resource = this.resources.get(name)
    const [lease, second] = this.bed.table.leases.filter((one) => one.resource === resource)
    expect(second).toBeUndefined()
    return lease
  }

  /** A revocation or a transfer is over: what became of the resource may have gone on since. */
  settled(model: Model, name: string): void {
    const lease = this.lease(name)
    const known = this.living.find(({ owner }) => owner === lease?.owner)
    if (lease === undefined) model.held.delete(name)
    else model.held.set(name, lease.state === 'held' && known !== undefined ? known : 'moving')
  }

  async write({ owner, submitted }: Known, count: number): Promise<void> {
    const cookies = Array.from({ length: count }, () => ++this.#cookie)
    const taken = (await owner.handle.call('write', cookies)) as number
    for (const cookie of cookies.slice(0, taken)) submitted.add(cookie)
  }

  /** What holds whatever happens. */
  async check(): Promise<void> {
    const attached = new Map<string, string>()
    for (const known of this.living) {
      const { owner, submitted } = known
      const report = await this.bed.report(owner)
      for (const name of report.attached) {
        expect(attached.get(name), `${name} is attached twice`).toBeUndefined()
        attached.set(name, owner.name)
        // Whoever has it attached is the owner by the table, too; or it has lost it and has not heard of that.
        const lease = this.lease(name)
        if (lease !== undefined && lease.owner !== owner) throw new Error(`${name} is ${lease.owner.name}'s`)
      }
      this.#checkTokens(report, submitted)
      expect(report.available + report.writing).toBe(FRAMES)
    }
    if (this.wrong.length > 0) throw this.wrong[0]
  }

  #checkTokens({ completions, writing }: LeaseReport, submitted: ReadonlySet<number>): void {
    const seen = new Set(completions.map(([cookie]) => cookie))
    expect(seen.size, 'a completion came twice').toBe(completions.length)
    for (const [cookie, status] of completions) {
      expect(submitted.has(cookie), 'a completion of another partition').toBe(true)
      expect([0, ECANCELED]).toContain(status)
    }
    expect(completions.length + writing, 'a completion is lost').toBe(submitted.size)
  }
}

abstract class Command implements fc.AsyncCommand<Model, System> {
  check(_model: Readonly<Model>): boolean {
    return true
  }

  async run(model: Model, system: System): Promise<void> {
    await this.act(model, system)
    await settle()
    await system.check()
  }

  protected abstract act(model: Model, system: System): Promise<void>

  protected pick<T>(list: readonly T[], n: number): T | undefined {
    return list.length === 0 ? undefined : list[n % list.length]
  }

  abstract toString(): string
}

const NAMES = ['nic/0', 'nic/1', 'peer/0', 'disk/0', 'disk/1', 'memory/0'] as const
type Name = (typeof NAMES)[number]
const isOnNic = (name: string) => name.startsWith('nic/')

class Start extends Command {
  readonly #data: LeaseScript
  constructor(data: LeaseScript) {
    super()
    this.#data = data
  }
  protected async act(_model: Model, system: System): Promise<void> {
    if (system.living.length < 4) await system.start({ peer: '020000000002', ...this.#data })
  }
  toString = () => `start(${this.#data.onRevoke ?? 'default'})`
}

class Give extends Command {
  readonly #name: Name
  readonly #to: number
  constructor(name: Name, to: number) {
    super()
    this.#name = name
    this.#to = to
  }
  protected async act(model: Model, system: System): Promise<void> {
    const to = this.pick(system.living, this.#to)
    if (to === undefined) return
    const holder = model.held.get(this.#name)
    const given = system.bed.table.give(system.resources.get(this.#name) as Resource, to.owner)
    if (holder !== undefined) {
      const who = holder === 'moving' ? '' : `held by ${holder.owner.name}`
      await expect(given).rejects.toMatchObject({ code: 'EBUSY', message: expect.stringContaining(who) })
    } else if (model.nicIsGone && isOnNic(this.#name)) await expect(given).rejects.toMatchObject({ code: 'ENODEV' })
    else {
      await given
      model.held.set(this.#name, to)
    }
  }
  toString = () => `give(${this.#name}, ${this.#to})`
}

class Traffic extends Command {
  readonly #to: number
  readonly #count: number
  constructor(to: number, count: number) {
    super()
    this.#to = to
    this.#count = count
  }
  protected async act(_model: Model, system: System): Promise<void> {
    const known = this.pick(system.living, this.#to)
    if (known === undefined) return
    const { writing, persistent } = await system.bed.report(known.owner)
    if (writing < 16) await system.write(known, this.#count)
    await known.owner.handle.call('send', this.#count)
    if (persistent > 0) await known.owner.handle.call('persist')
  }
  toString = () => `traffic(${this.#to}, ${this.#count})`
}

class Revoke extends Command {
  readonly #name: Name
  readonly #timeout: number
  constructor(name: Name, timeout: number) {
    super()
    this.#name = name
    this.#timeout = timeout
  }
  protected async act(model: Model, system: System): Promise<void> {
    const lease = system.lease(this.#name)
    expect(lease === undefined).toBe(!model.held.has(this.#name))
    if (lease === undefined) return
    const isFirst = model.held.get(this.#name) !== 'moving'
    model.held.set(this.#name, 'moving')
    const revoked = system.bed.table.revoke(lease, this.#timeout)
    revoked.then(
      ({ took }) => {
        system.settled(model, this.#name)
        // Joined to an earlier one, it has that one's deadline.
        if (isFirst && took > this.#timeout + STEP)
          system.wrong.push(new Error(`${this.#name} came back after ${took} ns`))
      },
      (error) => system.wrong.push(error),
    )
  }
  toString = () => `revoke(${this.#name}, ${this.#timeout / MILLISECOND} ms)`
}

class Transfer extends Command {
  readonly #name: Name
  readonly #to: number
  readonly #timeout: number
  constructor(name: Name, to: number, timeout: number) {
    super()
    this.#name = name
    this.#to = to
    this.#timeout = timeout
  }
  protected async act(model: Model, system: System): Promise<void> {
    const lease = system.lease(this.#name)
    const to = this.pick(system.living, this.#to)
    if (lease === undefined || to === undefined) return
    // Held again already where a transfer has only to attach.
    const isBusy = lease.state === 'revoking'
    if (isBusy) expect(model.held.get(this.#name)).toBe('moving')
    const moved = system.bed.table.transfer(lease, to.owner, this.#timeout)
    if (isBusy) {
      await expect(moved).rejects.toMatchObject({ code: 'EBUSY' })
      return
    }
    model.held.set(this.#name, 'moving')
    moved.then(
      () => system.settled(model, this.#name),
      (error: { code?: string }) => {
        system.settled(model, this.#name)
        if (!['ENXIO', 'ENODEV', 'ESTALE'].includes(error.code ?? '')) system.wrong.push(error)
      },
    )
  }
  toString = () => `transfer(${this.#name}, ${this.#to}, ${this.#timeout / MILLISECOND} ms)`
}

class Pass extends Command {
  readonly #time: number
  constructor(time: number) {
    super()
    this.#time = time
  }
  protected async act(_model: Model, { bed }: System): Promise<void> {
    await bed.run(this.#time, this.#time / STEP)
  }
  toString = () => `pass(${this.#time / MILLISECOND} ms)`
}

class Crash extends Command {
  readonly #which: number
  constructor(which: number) {
    super()
    this.#which = which
  }
  protected async act(model: Model, system: System): Promise<void> {
    const known = this.pick(system.living, this.#which)
    if (known === undefined) return
    system.living.splice(system.living.indexOf(known), 1)
    await known.owner.handle.kill()
    const before = system.bed.table.counters.framesRecovered
    await system.bed.table.ownerGone(known.owner)
    expect(system.bed.table.counters.framesRecovered - before).toBeGreaterThanOrEqual(FRAMES)
    await settle()
    for (const [name, holder] of [...model.held]) {
      if (holder === known) model.held.delete(name)
      else if (holder === 'moving') system.settled(model, name)
    }
  }
  toString = () => `crash(${this.#which})`
}

class RemoveNic extends Command {
  protected async act(model: Model, system: System): Promise<void> {
    const { bed } = system
    model.nicIsGone = true
    bed.nic.remove()
    await bed.table.deviceGone(bed.nic as NetDevice)
    await settle()
    for (const name of [...model.held.keys()]) if (isOnNic(name)) model.held.delete(name)
  }
  toString = () => 'remove(nic)'
}

const name = fc.constantFrom(...NAMES)
const partition = fc.nat(3)
const timeout = fc.constantFrom(0, 0.5, 2, 8).map((milliseconds) => milliseconds * MILLISECOND)
const onRevoke = fc.constantFrom(undefined, 'orderly' as const, 'ignore' as const, 'fail' as const)
const commands = fc.commands(
  [
    onRevoke.map((how) => new Start(how === undefined ? {} : { onRevoke: how })),
    fc.tuple(name, partition).map(([what, to]) => new Give(what, to)),
    fc.tuple(name, partition).map(([what, to]) => new Give(what, to)),
    fc.tuple(partition, fc.integer({ min: 1, max: 4 })).map(([to, count]) => new Traffic(to, count)),
    fc.tuple(partition, fc.integer({ min: 1, max: 4 })).map(([to, count]) => new Traffic(to, count)),
    fc.tuple(name, timeout).map(([what, within]) => new Revoke(what, within)),
    fc.tuple(name, partition, timeout).map(([what, to, within]) => new Transfer(what, to, within)),
    fc.constantFrom(0.1, 0.6, 1.5, 5).map((milliseconds) => new Pass(milliseconds * MILLISECOND)),
    partition.map((which) => new Crash(which)),
    fc.constant(new RemoveNic()),
  ],
  { maxCommands: 60, size: 'max' },
)

it("one owner at a time, no completion lost or twice or a stranger's, every frame accounted for", {
  timeout: 300_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (list) => {
      const system = new System()
      try {
        await system.start({ peer: '020000000002' })
        await system.start({ peer: '020000000002', onRevoke: 'orderly' })
        const setup = () => ({ model: { held: new Map(), nicIsGone: false }, real: system })
        await fc.asyncModelRun(setup, list)
        await drain(system)
      } finally {
        await system.bed.close()
      }
    }),
    { numRuns: 60 },
  )
})

/** In the end everything can be taken back, and everybody has all frames and all completions. */
async function drain(system: System): Promise<void> {
  const { bed } = system
  await bed.until(
    Promise.all(NAMES.map((one) => system.lease(one)).map((lease) => lease && bed.table.revoke(lease, LONG))),
  )
  await bed.run(2 * LONG)
  for (const one of NAMES) {
    // What was on its way to a successor has arrived by now.
    const lease = system.lease(one)
    if (lease !== undefined) await bed.until(bed.table.revoke(lease, LONG))
  }
  await bed.run(LONG)
  await system.check()
  for (const { owner, submitted } of system.living) {
    const { available, completions, attached } = await bed.report(owner)
    expect({ available, completions: completions.length, attached }).toEqual({
      available: FRAMES,
      completions: submitted.size,
      attached: [],
    })
  }
  const { taken, returned, orphaned, removed, granted } = bed.table.counters
  expect(taken + returned + orphaned + removed).toBe(granted - system.living.length)
}
