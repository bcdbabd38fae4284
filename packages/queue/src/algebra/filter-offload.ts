import { expr, type FilterExpression, type NetCapabilities, ParakernelError, reasonOf } from '@parakernel/hal'
import type { Stage } from './queue-node.ts'

/** Makes an expression a queue's filter in the device, or takes it away. Throws, or rejects, when the device refuses it. */
export type SetPacketFilter = (expression: FilterExpression | undefined) => void | Promise<void>

type State = Pick<Stage, 'runs' | 'why' | 'refusal'>

const IN_DEVICE: State = {
  runs: 'device',
  why: 'what no filter takes is dropped before it costs a frame; software looks once more at what comes through',
}

/**
 * Keeps a device's filter at what the filters above a queue take together. What the device lets through is still looked at, so that it
 * is never needed for a verdict: a filter that is refused, or not there yet, costs time alone.
 */
export class FilterOffload {
  state: State = software('no filter is set')
  readonly #impossible: string | undefined
  readonly #set: SetPacketFilter
  /** Whether the device may have a filter. */
  #installed = false
  /** Calls that have not come back, one behind the other. */
  #calls: Promise<void> | undefined
  #version = 0

  constructor(capabilities: NetCapabilities, set: SetPacketFilter | undefined, keepsOthers: boolean) {
    this.#set = set ?? (() => {})
    if (keepsOthers) this.#impossible = 'what it does not take stays for pops of the queue below'
    else if (capabilities.packetFilter !== true) this.#impossible = 'the device has no packet filters'
    else if (set === undefined) this.#impossible = 'no `setPacketFilter` was given, which only the control half has'
  }

  /** @param filters of the queues above; undefined for one that is a function */
  update(filters: readonly (FilterExpression | undefined)[]): void {
    const version = ++this.#version
    const { expression, why } = this.#wanted(filters)
    this.state = software(why)
    // A call that is under way may install one yet.
    if (expression === undefined && !this.#installed && this.#calls === undefined) return
    this.#call(expression, version)
  }

  #wanted(filters: readonly (FilterExpression | undefined)[]): { expression?: FilterExpression; why: string } {
    if (this.#impossible !== undefined) return { why: this.#impossible }
    if (filters.length === 0) return { why: 'no filter is set' }
    const expressions = filters.filter((one) => one !== undefined)
    if (expressions.length < filters.length) return { why: 'another filter of the queue is a function' }
    const expression = expressions.length === 1 ? expressions[0] : expr.any(...expressions)
    return { expression, why: 'the device is being asked' }
  }

  #call(expression: FilterExpression | undefined, version: number): void {
    if (this.#calls !== undefined) {
      this.#calls = this.#calls.then(() => this.#set(expression)).then(...this.#outcome(expression, version))
      return
    }
    const [done, refused] = this.#outcome(expression, version)
    try {
      const call = this.#set(expression)
      if (call instanceof Promise) this.#calls = call.then(done, refused)
      else done()
    } catch (error) {
      refused(error)
    }
  }

  #outcome(expression: FilterExpression | undefined, version: number): [() => void, (error: unknown) => void] {
    const done = () => {
      this.#installed = expression !== undefined
      if (version === this.#version && expression !== undefined) this.state = IN_DEVICE
    }
    const refused = (error: unknown) => {
      if (version !== this.#version) return
      const refusal = asRefusal(error)
      this.state = { ...software(`the device refused it: ${reasonOf(refusal)}`), refusal }
      // The filter from before may keep back what a new one wants.
      if (expression !== undefined && this.#installed) this.#call(undefined, version)
    }
    return [done, refused]
  }
}

function software(why: string): State {
  return { runs: 'software', why }
}

function asRefusal(error: unknown): ParakernelError {
  if (error instanceof ParakernelError) return error
  return new ParakernelError('EIO', error instanceof Error ? error.message : String(error), {
    subject: 'setPacketFilter',
    cause: error,
  })
}
