import { type Completion, type QueueDescriptor, type QueueOwner, type QueueToken, sgaFromText } from '@parakernel/queue'
import { expect } from 'vitest'
import type { Section } from './section.ts'
import { code, type Subject } from './subject.ts'

const SECOND = 1_000_000_000

/** A queue in memory on the same runtime, as another libOS would have one. */
class MemoryQueue implements QueueOwner {
  readonly qd: QueueDescriptor
  readonly #subject: Subject
  readonly #pops: QueueToken[] = []

  constructor(subject: Subject) {
    this.#subject = subject
    this.qd = subject.runtime.open(this)
  }

  pop(): QueueToken {
    const token = this.#subject.runtime.issue(this.qd)
    this.#pops.push(token)
    return token
  }

  give(text: string): void {
    const { runtime, pool } = this.#subject
    const token = this.#pops.shift()
    if (token !== undefined) runtime.completePop(token, sgaFromText(pool, text), undefined)
  }

  cancel(_qd: QueueDescriptor, token: QueueToken): void {
    this.#pops.splice(this.#pops.indexOf(token), 1)
  }
}

function textOf(completion: Completion): string {
  if (completion.kind !== 'pop') return completion.kind
  const text = new TextDecoder().decode(completion.sga.toBytes())
  completion.sga.free()
  return text
}

export const waits: Section = {
  name: 'waiting with other queues',
  cases(define) {
    define('a file, a memory queue and a timer are awaited together', async (subject) => {
      const { libos, runtime } = subject
      await subject.file('/file', 'of the file')
      const [file, memory, timer] = [libos.open('/file'), new MemoryQueue(subject), new MemoryQueue(subject)]
      libos.loop.timers.at(libos.loop.clock.now() + 5_000_000, () => timer.give('of the timer'))
      const tokens = [libos.pop(file), memory.pop(), timer.pop()]
      const order: string[] = []
      const all = tokens.map(async (token) => {
        order.push(textOf(await runtime.completion(token)))
        if (order.length === 2) memory.give('of memory')
      })
      await Promise.all(all)
      expect(order[2]).toBe('of memory')
      expect(order.slice(0, 2).sort()).toEqual(['of the file', 'of the timer'])
      runtime.close(memory.qd)
      runtime.close(timer.qd)
    })

    define(
      'a file and a socket are awaited together',
      async (subject) => {
        const { libos, runtime } = subject
        const network = subject.fixture.network
        if (network === undefined) throw new Error('the fixture has no network')
        const at = { address: network.address, port: 0 }
        const [one, two] = [network.libos.socket('datagram'), network.libos.socket('datagram')]
        network.libos.bind(one, at)
        network.libos.bind(two, at)
        await subject.file('/file', 'from the file to the wire')
        const file = libos.open('/file')
        const [fromFile, fromWire] = [libos.pop(file), network.libos.pop(two)]
        const completion = await runtime.completion(fromFile)
        if (completion.kind !== 'pop') throw new Error(`a ${completion.kind}`)
        // The frames of the file are those of the network: no copy between.
        const sent = network.libos.pushTo(one, completion.sga, network.libos.getsockname(two))
        completion.sga.free()
        expect(await runtime.completion(sent)).toMatchObject({ kind: 'push' })
        const received = await subject.done(fromWire, 'pop')
        const copy = subject.create('/copy')
        const push = libos.push(copy, received.sga)
        received.sga.free()
        await subject.done(push, 'push')
        expect(await subject.text(copy)).toBe('from the file to the wire')
      },
      { needs: 'network' },
    )

    define(
      'wait, waitAny and waitNext run the loop until a file is done',
      (subject) => {
        const { libos, runtime } = subject
        const qd = subject.create()
        const memory = new MemoryQueue(subject)
        expect(runtime.wait(subject.push(qd, 'hello'), SECOND)).toMatchObject({ kind: 'push', bytes: 5 })
        const tokens = [memory.pop(), libos.popAt(qd, 0)]
        const { index, completion } = runtime.waitAny(tokens, SECOND)
        expect(index).toBe(1)
        expect(textOf(completion)).toBe('hello')
        expect(runtime.wait(libos.sync(qd), SECOND)).toMatchObject({ kind: 'push', bytes: 0 })
        const next = libos.popAt(qd, 1)
        const second = runtime.waitNext(SECOND)
        expect(second?.token).toBe(next)
        if (second !== undefined) expect(textOf(second)).toBe('ello')
        expect(runtime.wait(libos.asyncClose(qd), SECOND)).toMatchObject({ kind: 'close' })
        expect(runtime.cancel(tokens[0])).toBe(true)
        expect(runtime.wait(tokens[0])).toMatchObject({ kind: 'failed', code: 'ECANCELED' })
        runtime.close(memory.qd)
      },
      { needs: 'synchronousWait' },
    )

    define('where no synchronous wait can be, it says so', async (subject) => {
      const { runtime } = subject
      const qd = subject.create()
      const token = subject.push(qd, 'hello')
      try {
        expect(runtime.wait(token, SECOND)).toMatchObject({ kind: 'push' })
      } catch (error) {
        expect(error).toEqual(code('ENOTSUP'))
        await subject.done(token, 'push')
      }
    })
  },
}
