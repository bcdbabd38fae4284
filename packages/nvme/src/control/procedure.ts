import { type Clock, VirtualClock } from '@parakernel/hal'
import type { DeviceModel } from '../transport.ts'

/**
 * Work of the control thread that has to wait for the controller, written as a generator: each `yield` says "not yet, look again later".
 * So one and the same procedure runs to its end in the calling thread, or beside everything else of Node's loop, or step by step in a test.
 */
export type Procedure<T> = Generator<undefined, T, undefined>

/** Looks without a pause; most admin commands are answered by then. */
const EAGER = 64
const PAUSE_MS = 0.1
/** What a look costs on a virtual clock, in nanoseconds, at first and later: nobody else may be there to move it. */
const VIRTUAL_LOOK = 100_000
const VIRTUAL_PATIENT_LOOK = 10_000_000

/** What procedures wait on. */
export interface Patience {
  readonly clock: Clock
  readonly model: DeviceModel | undefined
}

const never = new Int32Array(new SharedArrayBuffer(4))

/** Runs a procedure to its end in the calling thread: for calls that must return with the work done, and take well below a millisecond. */
export function runNow<T>(procedure: Procedure<T>, patience: Patience): T {
  for (let looks = 0; ; looks++) {
    const { done, value } = procedure.next()
    if (done) return value
    letPass(patience, looks)
    if (looks > EAGER && patience.model === undefined) Atomics.wait(never, 0, 0, PAUSE_MS)
  }
}

/** Runs a procedure without blocking Node's loop. */
export async function run<T>(procedure: Procedure<T>, patience: Patience): Promise<T> {
  for (let looks = 0; ; looks++) {
    const { done, value } = procedure.next()
    if (done) return value
    letPass(patience, looks)
    if (looks < EAGER) await new Promise<void>((resolve) => setImmediate(resolve))
    else await new Promise<void>((resolve) => setTimeout(resolve, patience.clock instanceof VirtualClock ? 0 : 1))
  }
}

function letPass({ clock, model }: Patience, looks: number): void {
  if (clock instanceof VirtualClock) {
    const event = model?.nextEvent() ?? Number.POSITIVE_INFINITY
    const now = clock.now()
    clock.advanceTo(Math.min(Math.max(event, now), now + (looks < EAGER ? VIRTUAL_LOOK : VIRTUAL_PATIENT_LOOK)))
  }
  model?.run()
}

/** Milliseconds from now, on the clock. */
export function deadline(clock: Clock, milliseconds: number): number {
  return clock.now() + milliseconds * 1e6
}
