import { checkFilter, expr, type FilterValue, interpretValue, PacketLayout } from '@parakernel/hal'
import type { ScatterGatherArray } from '../scatter-gather.ts'
import { DerivedNode } from './derived.ts'
import type { Element, ElementKind, Ending } from './element.ts'
import type { Home } from './home.ts'
import type { Consumer, QueueNode } from './queue-node.ts'

/** An element's place in the order: lower comes first. A function, or a value of the expression language about its bytes. */
export type Key = FilterValue | ((sga: ScatterGatherArray) => number)

interface Entry {
  readonly element: Element
  readonly key: number
  readonly number: number
}

/**
 * Pops elements in the order of their keys, and of arrival where these are equal, out of those that are there: up to `capacity` are
 * taken from the source ahead of the pops.
 */
export class SortedQueue extends DerivedNode implements Consumer {
  override readonly elementKind: ElementKind
  readonly #source: QueueNode
  readonly #key: (sga: ScatterGatherArray) => number
  readonly #what: string
  /** A binary heap. */
  readonly #heap: Entry[] = []
  #arrivals = 0
  #isAsking = false
  #pendingEnd: Ending | undefined
  #deferred = false
  readonly #deliver = () => {
    this.#deferred = false
    while (this.isWanted && this.#heap.length > 0) this.arrive(this.#removeFirst().element)
    this.#ask()
    if (this.#heap.length === 0 && this.#pendingEnd !== undefined) this.finish(this.#pendingEnd)
  }

  constructor(home: Home, capacity: number, source: QueueNode, key: Key) {
    super(home, capacity, [source])
    this.#source = source
    this.elementKind = source.elementKind
    this.#key = keyOf(key, source.elementKind)
    this.#what = typeof key === 'function' ? 'a function' : 'an expression'
  }

  open(): this {
    this.#ask()
    return this
  }

  take(element: Element): void {
    this.#isAsking = false
    this.#insert({ element, key: this.#key(element.sga), number: this.#arrivals++ })
    this.#ask()
    this.#deliverSoon()
  }

  override get held(): number {
    return this.#heap.length
  }

  /** The source's ending, behind what the heap holds. */
  override finish(ending: Ending): void {
    this.#isAsking = false
    if (this.#heap.length === 0) super.finish(ending)
    else {
      this.#pendingEnd = ending
      this.#deliverSoon()
    }
  }

  override close(): void {
    const taken = this.#heap.splice(0).sort((a, b) => a.number - b.number)
    let held = taken.map(({ element }) => element)
    super.close((above) => {
      this.#source.leave(this, [...above, ...held])
      held = []
    })
  }

  describe() {
    const why = 'an order is of elements that are there together, above the device'
    return { operation: 'sort', runs: 'software', what: this.#what, why } as const
  }

  /** Behind all that arrives in this round, so that it is among what is compared. */
  protected fetch(): void {
    this.#deliverSoon()
  }

  #deliverSoon(): void {
    if (this.#deferred || !this.isWanted) return
    this.#deferred = true
    this.runtime.loop.defer(this.#deliver)
    this.runtime.loop.wake()
  }

  #ask(): void {
    if (this.#isAsking || this.#pendingEnd !== undefined || this.#heap.length >= this.capacity) return
    this.#isAsking = true
    this.#source.request(this)
  }

  #insert(entry: Entry): void {
    const heap = this.#heap
    let at = heap.push(entry) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (isBefore(heap[parent], entry)) break
      heap[at] = heap[parent]
      at = parent
    }
    heap[at] = entry
  }

  #removeFirst(): Entry {
    const heap = this.#heap
    const [first] = heap
    const last = heap.pop() as Entry
    if (heap.length === 0) return first
    let at = 0
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++
      if (isBefore(last, heap[child])) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = last
    return first
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.key < b.key || (a.key === b.key && a.number < b.number)
}

const layout = new PacketLayout()

/** Where an expression's value is absent, the element comes last. */
function keyOf(key: Key, elementKind: ElementKind): (sga: ScatterGatherArray) => number {
  if (typeof key === 'function') return key
  checkFilter(expr.present(key))
  return (sga) => {
    const bytes = sga.toBytes()
    if (elementKind === 'frame') layout.ofFrame(bytes, 0, bytes.length)
    else layout.ofPayload(0, bytes.length)
    const value = interpretValue(key, bytes, layout)
    return value < 0 ? Number.POSITIVE_INFINITY : value
  }
}
