import { type Clock, VirtualClock } from '@parakernel/hal'
import type { DeviceModel } from '../transport.ts'

const NEVER = Number.POSITIVE_INFINITY

/** Calls the watchdog again and again: by a timer of Node's, or on a virtual clock as an event of the device's model. */
export class Ticks {
  readonly #clock: Clock
  /** Milliseconds. */
  readonly #period: number
  readonly #tick: () => void
  #interval: NodeJS.Timeout | undefined
  #next = NEVER

  constructor(clock: Clock, period: number, tick: () => void) {
    this.#clock = clock
    this.#period = Math.max(1, period)
    this.#tick = tick
  }

  /** The timer does not keep the process alive. */
  start(): void {
    if (this.#clock instanceof VirtualClock) this.#next = this.#clock.now() + this.#period * 1e6
    else {
      this.#interval = setInterval(this.#tick, this.#period)
      this.#interval.unref()
    }
  }

  stop(): void {
    clearInterval(this.#interval)
    this.#next = NEVER
  }

  /** The model as holders see it. On a virtual clock ticks are among its events, for as long as anybody waits for one. */
  over(model: DeviceModel | undefined, waiting: () => boolean): DeviceModel | undefined {
    const clock = this.#clock
    if (!(clock instanceof VirtualClock)) return model
    return {
      run: () => {
        model?.run()
        if (this.#next > clock.now()) return
        this.#next = clock.now() + this.#period * 1e6
        this.#tick()
      },
      nextEvent: () => Math.min(model?.nextEvent() ?? NEVER, waiting() ? this.#next : NEVER),
    }
  }
}
