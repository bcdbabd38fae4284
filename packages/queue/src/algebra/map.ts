import { ScatterGatherArray } from '../scatter-gather.ts'
import { shareSga } from '../scatter-gather-helpers.ts'
import type { QueueToken } from '../types.ts'
import { DerivedNode } from './derived.ts'
import type { Element, Ending } from './element.ts'
import type { Home } from './home.ts'
import type { Consumer, GiveBack, QueueNode } from './queue-node.ts'

/**
 * Makes another array of an element. What it is given is its own: it returns that array, or frees it and returns another, of the
 * same pool.
 */
export type Transform = (sga: ScatterGatherArray) => ScatterGatherArray

/** Pops elements transformed, pushes elements transformed. */
export class MappedQueue extends DerivedNode implements Consumer {
  readonly #source: QueueNode
  readonly #transform: Transform
  #isAsking = false

  constructor(home: Home, source: QueueNode, transform: Transform) {
    super(home, source.capacity, [source])
    this.#source = source
    this.#transform = transform
  }

  take({ sga, source }: Element): void {
    this.#isAsking = false
    let made: ScatterGatherArray
    try {
      made = this.#transform(sga)
    } catch (error) {
      if (!sga.freed) sga.free()
      this.finish({ code: 'EINVAL', message: `the transform threw: ${error instanceof Error ? error.message : error}` })
      return
    }
    this.arrive({ sga: made, source })
  }

  override finish(ending: Ending): void {
    this.#isAsking = false
    super.finish(ending)
  }

  override push(sga: ScatterGatherArray): QueueToken {
    if (sga.freed) return this.failedPush('EINVAL', 'the array was freed before it was pushed')
    let made: ScatterGatherArray
    const own = shareSga(sga)
    try {
      made = this.#transform(own)
    } catch (error) {
      if (!own.freed) own.free()
      return this.failedPush('EINVAL', `the transform threw: ${error instanceof Error ? error.message : error}`)
    }
    const token = super.push(made)
    made.free()
    return token
  }

  override close(giveBack: GiveBack): void {
    this.#source.leave(this, [])
    super.close(giveBack)
  }

  describe() {
    const { name } = this.#transform
    const what = name === '' ? 'a function' : `function ${name}`
    const why = 'a function runs where the application does'
    return { operation: 'map', runs: 'software', what, why } as const
  }

  protected fetch(): void {
    if (this.#isAsking) return
    this.#isAsking = true
    this.#source.request(this)
  }

  protected override unfetch(): void {
    if (!this.#isAsking) return
    this.#isAsking = false
    this.#source.withdraw(this)
  }
}

/** A transform that leaves out the first bytes of each element, and what is behind `length` more. Copies nothing. */
export function slice(offset: number, length = Number.POSITIVE_INFINITY): Transform {
  return (sga) => {
    const segments = []
    let skip = offset
    let left = length
    for (const segment of sga.segments) {
      const from = Math.min(skip, segment.length)
      skip -= from
      const size = Math.min(segment.length - from, left)
      left -= size
      if (size <= 0) continue
      sga.pool.retain(segment.frame)
      segments.push({ frame: segment.frame, address: segment.address + from, length: size })
    }
    sga.free()
    return new ScatterGatherArray(sga.pool, segments)
  }
}
