import { compileFilter, type FilterExpression, formatFilter, PacketLayout } from '@parakernel/hal'
import type { QueueRuntime } from '../queue-runtime.ts'
import type { ScatterGatherArray } from '../scatter-gather.ts'
import type { QueueToken } from '../types.ts'
import { DerivedNode } from './derived.ts'
import type { Element, Ending } from './element.ts'
import type { Consumer, QueueNode } from './queue-node.ts'

/** Which elements match: a function, or an expression about the element's bytes (its `payload`). */
export type Predicate = FilterExpression | ((sga: ScatterGatherArray) => boolean)

interface Test {
  readonly matches: (element: Element) => boolean
  readonly what: string
  readonly why: string
}

/** Pops the elements that match, in order; the others stay for pops of the source. A push must match, and goes to the source. */
export class FilteredQueue extends DerivedNode implements Consumer {
  readonly #test: Test
  readonly #source: QueueNode
  /** Requests to the source that are not met. */
  #asked = 0

  constructor(runtime: QueueRuntime, pool: ScatterGatherArray['pool'], source: QueueNode, predicate: Predicate) {
    super(runtime, pool, source.capacity, [source])
    this.#source = source
    this.#test = testOf(predicate)
  }

  open(): this {
    this.#source.addFilter(this)
    return this
  }

  readonly accepts = (element: Element) => this.#test.matches(element)

  take(element: Element): void {
    if (this.#asked > 0) {
      this.#asked--
      this.#source.forgetFilterDemand(1)
    }
    this.arrive(element)
  }

  override finish(ending: Ending): void {
    super.finish(ending)
  }

  override push(sga: ScatterGatherArray): QueueToken {
    if (this.#test.matches({ sga, source: undefined })) return super.push(sga)
    return this.failedPush('EINVAL', 'the element does not match the filter: push it to the queue below')
  }

  override close(): void {
    super.close((elements) => this.#source.leave(this, elements))
    this.unfetch()
  }

  describe() {
    const { what, why } = this.#test
    return { operation: 'filter', runs: 'software', what, why } as const
  }

  protected fetch(): void {
    if (this.#asked > 0) return
    this.#asked++
    this.#source.requestForFilter()
  }

  protected override unfetch(): void {
    if (this.#asked === 0) return
    const asked = this.#asked
    this.#asked = 0
    this.#source.forgetFilterDemand(asked)
  }
}

/** One layout for all: nothing is matched within a match. */
const layout = new PacketLayout()

function testOf(predicate: Predicate): Test {
  if (typeof predicate === 'function') {
    const what = predicate.name === '' ? 'a function' : `function ${predicate.name}`
    return { matches: ({ sga }) => predicate(sga), what, why: 'a function runs where the application does' }
  }
  const { match, means } = compileFilter(predicate)
  const matches = ({ sga }: Element) => {
    const { segments, pool } = sga
    if (segments.length === 1) {
      layout.ofPayload(segments[0].address, segments[0].length)
      return match(pool.bytes, layout)
    }
    const bytes = sga.toBytes()
    layout.ofPayload(0, bytes.length)
    return match(bytes, layout)
  }
  const why = means === 'generated' ? 'compiled to JavaScript' : 'interpreted: this process generates no code'
  return { matches, what: formatFilter(predicate), why }
}
