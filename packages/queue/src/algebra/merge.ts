import { DerivedNode } from './derived.ts'
import type { Element, ElementKind, Ending } from './element.ts'
import type { Home } from './home.ts'
import type { Consumer, QueueNode } from './queue-node.ts'

/**
 * Pops what comes out of any of its sources, in the order of arrival; pushes to all. Takes from a source only what somebody waits
 * for. Ends when all have ended.
 */
export class MergedQueue extends DerivedNode {
  override readonly elementKind: ElementKind
  readonly #arms: Arm[] = []
  /** The arm to ask first: behind the one that gave last, so that a source that always has something starves no other. */
  #next = 0
  /** For what a queue above may give back. */
  readonly #cameFrom = new WeakMap<Element, Arm>()

  constructor(home: Home, capacity: number, sources: readonly QueueNode[]) {
    super(home, capacity, sources)
    this.elementKind = sources.every(({ elementKind }) => elementKind === 'frame') ? 'frame' : 'payload'
  }

  /** Called once, after the constructor: the sources may have elements at once. */
  open(): this {
    for (const source of this.sources) this.#arms.push(new Arm(this, source))
    return this
  }

  override close(): void {
    super.close((elements) => {
      for (const arm of this.#arms) arm.leave(elements.filter((element) => this.#cameFrom.get(element) === arm))
    })
  }

  describe() {
    return { operation: 'merge', runs: 'software', what: '', why: 'sources may be of several libOSes' } as const
  }

  receive(element: Element, arm: Arm): void {
    this.#cameFrom.set(element, arm)
    this.#next = this.#arms.indexOf(arm) + 1
    this.arrive(element)
  }

  armEnded(ending: Ending): void {
    if (ending !== 'end') this.finish(ending)
    else if (this.#arms.length === this.sources.length && this.#arms.every((arm) => arm.hasEnded)) this.finish('end')
  }

  protected fetch(): void {
    const first = this.#next
    for (let i = 0; i < this.#arms.length && this.isWanted; i++) this.#arms[(first + i) % this.#arms.length].request()
  }

  protected override unfetch(): void {
    for (const arm of this.#arms) arm.withdraw()
  }
}

class Arm implements Consumer {
  hasEnded = false
  readonly #merged: MergedQueue
  readonly #source: QueueNode
  #isAsking = false

  constructor(merged: MergedQueue, source: QueueNode) {
    this.#merged = merged
    this.#source = source
  }

  request(): void {
    if (this.#isAsking || this.hasEnded) return
    this.#isAsking = true
    this.#source.request(this)
  }

  take(element: Element): void {
    this.#isAsking = false
    this.#merged.receive(element, this)
  }

  finish(ending: Ending): void {
    this.#isAsking = false
    this.hasEnded = true
    this.#merged.armEnded(ending)
  }

  withdraw(): void {
    if (!this.#isAsking) return
    this.#isAsking = false
    this.#source.withdraw(this)
  }

  leave(givenBack: readonly Element[]): void {
    this.#source.leave(this, givenBack)
  }
}
