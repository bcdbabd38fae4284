import { compileFilter, type FilterExpression, formatFilter, PacketLayout } from '@parakernel/hal'
import type { ScatterGatherArray } from '../scatter-gather.ts'
import type { QueueToken } from '../types.ts'
import { DerivedNode } from './derived.ts'
import type { Element, ElementKind, Ending } from './element.ts'
import type { Home } from './home.ts'
import type { Consumer, QueueNode } from './queue-node.ts'

/** Which elements match: a function, or an expression about the element's bytes: its `payload`, or the packet that it is. */
export type Predicate = FilterExpression | ((sga: ScatterGatherArray) => boolean)

interface Test {
  readonly matches: (element: Element) => boolean
  readonly expression: FilterExpression | undefined
  readonly what: string
  readonly why: string
}

/** Pops the elements that match, in order; the others stay for pops of the source. A push must match, and goes to the source. */
export class FilteredQueue extends DerivedNode implements Consumer {
  override readonly elementKind: ElementKind
  readonly #test: Test
  readonly #source: QueueNode
  /** Requests to the source that are not met. */
  #asked = 0

  constructor(home: Home, source: QueueNode, predicate: Predicate) {
    super(home, source.capacity, [source])
    this.#source = source
    this.#test = testOf(predicate, source.elementKind)
    this.elementKind = source.elementKind
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

  /** The expression, where it is one: for a source that may have it run below. */
  get expression(): FilterExpression | undefined {
    return this.#test.expression
  }

  override close(): void {
    super.close((elements) => this.#source.leave(this, elements))
    this.unfetch()
  }

  describe() {
    const { what, why } = this.#test
    const below = this.#source.describeFilters?.()
    if (below === undefined || this.expression === undefined) {
      return { operation: 'filter', runs: 'software', what, why } as const
    }
    const reason = below.runs === 'device' ? below.why : `${why}; ${below.why}`
    return { operation: 'filter', what, ...below, why: reason } as const
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

function testOf(predicate: Predicate, elementKind: ElementKind): Test {
  if (typeof predicate === 'function') {
    const what = predicate.name === '' ? 'a function' : `function ${predicate.name}`
    return {
      matches: ({ sga }) => predicate(sga),
      expression: undefined,
      what,
      why: 'a function runs where the application does',
    }
  }
  const { match, means } = compileFilter(predicate)
  const matches = ({ sga }: Element) => {
    const { segments, pool } = sga
    const whole = segments.length === 1
    const bytes = whole ? pool.bytes : sga.toBytes()
    const start = whole ? segments[0].address : 0
    const length = whole ? segments[0].length : bytes.length
    if (elementKind === 'frame') layout.ofFrame(bytes, start, length)
    else layout.ofPayload(start, length)
    return match(bytes, layout)
  }
  const why = means === 'generated' ? 'compiled to JavaScript' : 'interpreted: this process generates no code'
  return { matches, expression: predicate, what: formatFilter(predicate), why }
}
