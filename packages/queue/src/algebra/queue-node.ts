import type { FilterExpression, ParakernelError } from '@parakernel/hal'
import type { QueueOwner, QueueRuntime } from '../queue-runtime.ts'
import { ScatterGatherArray } from '../scatter-gather.ts'
import type { QueueDescriptor, QueueToken } from '../types.ts'
import type { Element, ElementKind, Ending } from './element.ts'
import { Fifo } from './fifo.ts'
import type { Home } from './home.ts'

/** A queue above another: gets what it asked for. */
export interface Consumer {
  /** Takes an element over. At most as many come as were requested, but for a consumer with `accepts`. */
  take(element: Element): void
  /** Nothing more comes. */
  finish(ending: Ending): void
  /**
   * For a filter: whether an element is for it. One that is goes to it whether it asked or not, one that is not never does.
   */
  readonly accepts?: (element: Element) => boolean
  /** Of a filter: what it accepts, as an expression, if it is one. */
  readonly expression?: FilterExpression | undefined
  /** Of a filter: elements that it took and that wait for a pop. */
  readonly held?: number
}

/** Takes elements over from a queue that is closed. */
export type GiveBack = (elements: readonly Element[]) => void

/** One place in the line for the next element: a token of the application's, or a consumer. */
type Waiting = QueueToken | Consumer

/**
 * A queue out of which elements come: to the application's pops and to queues above it, in the order in which they asked; what a
 * filter accepts goes there. Elements are fetched when somebody wants one, and never lost: what was fetched and is wanted by
 * nobody waits here.
 */
export abstract class QueueNode implements QueueOwner {
  readonly home: Home
  readonly runtime: QueueRuntime
  abstract readonly qd: QueueDescriptor
  /** Elements that wait here before fetching for filters stops, so that what no filter accepts does not pile up. */
  readonly capacity: number
  protected readonly buffer = new Fifo<Element>()
  readonly #line = new Fifo<Waiting>()
  readonly #filters: Consumer[] = []
  /** Requests of filters that are not met. */
  #filterDemand = 0
  #ending: Ending | undefined
  /** Where elements go after the end: set by `close`. */
  #giveBack: GiveBack | undefined

  constructor(home: Home, capacity: number) {
    this.home = home
    this.runtime = home.runtime
    this.capacity = capacity
  }

  /** Somebody wants an element and there is none: gets one, sooner or later, by `arrive` or `finish`. Called again and again. */
  protected abstract fetch(): void
  /** Nobody wants what `fetch` asked for any more: it stays where it is. */
  protected unfetch(): void {}
  abstract push(sga: ScatterGatherArray): QueueToken
  /** The operation that this queue is the result of, and where it runs: for `explain`. */
  abstract describe(): Omit<Stage, 'qd' | 'from'>
  /** Where the filters above it run that are expressions, and why; absent where it is no question: in software. */
  describeFilters?(): Pick<Stage, 'runs' | 'why' | 'refusal'>
  readonly elementKind: ElementKind = 'payload'
  /** What it stands on. */
  readonly sources: readonly QueueNode[] = []

  /** The descriptor that the application knows it by. */
  get name(): QueueDescriptor {
    return this.qd
  }

  /** Elements that were fetched and wait. */
  get held(): number {
    return this.buffer.size
  }

  /** Whether somebody waits for an element that there is not. */
  get isWanted(): boolean {
    if (this.#ending !== undefined || this.#giveBack !== undefined) return false
    if (this.#line.size > 0) return true
    return this.#filterDemand > 0 && this.buffer.size < this.capacity
  }

  pop(): QueueToken {
    if (this.buffer.size > 0 && this.#line.size === 0 && this.#giveBack === undefined) return this.#popNow()
    const token = this.runtime.issue(this.qd)
    this.#queueUp(token)
    return token
  }

  /** A consumer without `accepts` wants one more element. */
  request(consumer: Consumer): void {
    this.#queueUp(consumer)
  }

  /** A filter wants an element that it accepts: it comes by `take`, as do those that nobody asked for. */
  requestForFilter(): void {
    this.#filterDemand++
    if (this.#ending === undefined) this.#fetchIfWanted()
  }

  addFilter(consumer: Consumer): void {
    this.#filters.push(consumer)
    // What waits here came before: the filter sees it too.
    for (const element of this.buffer.drain()) {
      if (consumer.accepts?.(element)) consumer.take(element)
      else this.buffer.push(element)
    }
    if (this.#ending !== undefined) consumer.finish(this.#ending)
  }

  /** A consumer goes away; what it was given and has not handed on comes back, in front of what waits. */
  leave(consumer: Consumer, givenBack: readonly Element[]): void {
    const at = this.#filters.indexOf(consumer)
    if (at >= 0) this.#filters.splice(at, 1)
    this.withdraw(consumer)
    if (this.#giveBack !== undefined) {
      this.#giveBack(givenBack)
      return
    }
    const others = givenBack.filter((element) => !this.#offerToFilters(element))
    for (const element of others.toReversed()) this.buffer.unshift(element)
    this.#serve()
  }

  /** A filter took an element, or left with requests that nobody will meet. */
  forgetFilterDemand(count: number): void {
    this.#filterDemand = Math.max(0, this.#filterDemand - count)
    if (!this.isWanted) this.unfetch()
  }

  cancel(_qd: QueueDescriptor, token: QueueToken): void {
    this.#line.remove(token)
    if (!this.isWanted) this.unfetch()
  }

  /** A consumer takes its requests back. */
  withdraw(consumer: Consumer): void {
    let any = false
    while (this.#line.remove(consumer)) any = true
    if (any && !this.isWanted) this.unfetch()
  }

  /** Fails what is pending; elements that wait, and those that queues above give back later, are handed on. Ends consumers with ECANCELED. */
  close(giveBack: GiveBack): void {
    if (this.#giveBack !== undefined) return
    this.#giveBack = giveBack
    const ending: Ending = { code: 'ECANCELED', message: 'the queue below was closed' }
    const consumers = new Set<Consumer>(this.#filters)
    for (const waiting of this.#line.drain()) if (typeof waiting !== 'number') consumers.add(waiting)
    giveBack(this.buffer.drain())
    this.runtime.close(this.qd)
    for (const consumer of consumers) consumer.finish(ending)
  }

  protected arrive(element: Element): void {
    if (this.#offerToFilters(element)) {
      this.#fetchIfWanted()
      return
    }
    this.buffer.push(element)
    if (this.#line.size > 0 || this.#filterDemand > 0 || this.#ending !== undefined) this.#serve()
  }

  protected finish(ending: Ending): void {
    if (this.#ending !== undefined || this.#giveBack !== undefined) return
    this.#ending = ending
    this.#serve()
    for (const filter of [...this.#filters]) filter.finish(ending)
  }

  /** After room was made, by whoever keeps elements elsewhere. */
  protected served(): void {}

  /** Nobody is in front: the first element goes to this pop. */
  #popNow(): QueueToken {
    const element = this.buffer.shift() as Element
    let token: QueueToken
    try {
      token = this.runtime.issuePopped(this.qd, element.sga, element.source)
    } catch (error) {
      this.buffer.unshift(element)
      throw error
    }
    this.served()
    if (this.#filterDemand > 0) this.#fetchIfWanted()
    return token
  }

  #offerToFilters(element: Element): boolean {
    if (this.#filters.length === 0) return false
    const filter = this.#filters.find((one) => one.accepts?.(element))
    filter?.take(element)
    return filter !== undefined
  }

  #queueUp(waiting: Waiting): void {
    this.#line.push(waiting)
    this.#serve()
  }

  #serve(): void {
    while (this.#line.size > 0 && this.buffer.size > 0) {
      const waiting = this.#line.shift() as Waiting
      const element = this.buffer.shift() as Element
      if (typeof waiting !== 'number') waiting.take(element)
      else if (this.runtime.isPending(waiting)) this.runtime.completePop(waiting, element.sga, element.source)
      else this.buffer.unshift(element)
      this.served()
    }
    if (this.#ending !== undefined && this.buffer.size === 0) this.#tellEnding(this.#ending)
    else this.#fetchIfWanted()
  }

  #tellEnding(ending: Ending): void {
    for (const waiting of this.#line.drain()) {
      if (typeof waiting !== 'number') waiting.finish(ending)
      else if (!this.runtime.isPending(waiting)) continue
      else if (ending === 'end') {
        this.runtime.completePop(waiting, new ScatterGatherArray(this.home.pool, []), undefined)
      } else this.runtime.fail(waiting, ending.code, ending.message)
    }
  }

  #fetchIfWanted(): void {
    if (this.isWanted) this.fetch()
    else this.unfetch()
  }
}

/** One line of `explain`. */
export interface Stage {
  readonly qd: QueueDescriptor
  readonly operation: 'socket or file' | 'packets' | 'queue' | 'merge' | 'filter' | 'map' | 'sort' | 'qconnect'
  readonly from: readonly QueueDescriptor[]
  /** Where it runs. */
  readonly runs: 'device' | 'software'
  /** As what: a function of the application's, or the text of an expression. */
  readonly what: string
  readonly why: string
  /** Of a filter that could run in the device but for this; of a program that the kernel refused, its verifier's log is the cause. */
  readonly refusal?: ParakernelError
}
