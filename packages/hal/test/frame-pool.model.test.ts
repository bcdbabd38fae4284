import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPlainWindow, DebugFramePool, FramePool } from '../src/index.ts'

/** What a pool should be: a count for each frame, and how many of them a device holds. */
interface Model {
  readonly counts: number[]
  readonly lent: number[]
  exhausted: number
  misuses: number
  /** A debug pool refuses every misuse. A plain one keeps no record of lending, and gets only the right calls that need one. */
  readonly debug: boolean
}

const FRAMES = 6
const RESERVE = 2

class Allocate implements fc.Command<Model, FramePool> {
  readonly #device: boolean
  constructor(device: boolean) {
    this.#device = device
  }
  check = () => true
  run(model: Model, pool: FramePool) {
    const free = model.counts.filter((count) => count === 0).length
    const frame = this.#device ? pool.allocateForDevice() : pool.allocate()
    if (free <= (this.#device ? 0 : RESERVE)) {
      expect(frame).toBe(-1)
      model.exhausted++
    } else {
      expect(model.counts[frame]).toBe(0)
      model.counts[frame] = 1
    }
    agree(model, pool)
  }
  toString = () => (this.#device ? 'allocateForDevice()' : 'allocate()')
}

/** The calls on one frame. In the debug pool a misuse throws and changes nothing, in the plain one it is counted. */
class OnFrame implements fc.Command<Model, FramePool> {
  readonly #call: 'retain' | 'release' | 'lend' | 'giveBack' | 'handOver'
  readonly #frame: number
  constructor(call: 'retain' | 'release' | 'lend' | 'giveBack' | 'handOver', frame: number) {
    this.#call = call
    this.#frame = frame
  }
  check = (model: Readonly<Model>) => model.debug || !this.#isMisuse(model) || this.#isCounted(model)
  /** The misuse that a plain pool sees: of a frame that is free or foreign. */
  #isCounted({ counts }: Readonly<Model>): boolean {
    return (this.#call === 'retain' || this.#call === 'release') && (counts[this.#frame] ?? 0) === 0
  }
  #isMisuse({ counts, lent }: Readonly<Model>): boolean {
    const count = counts[this.#frame] ?? 0
    const devices = lent[this.#frame] ?? 0
    if (this.#call === 'retain') return count === 0
    if (this.#call === 'giveBack' || this.#call === 'handOver') return devices === 0
    return count === 0 || devices >= count
  }
  run(model: Model, pool: FramePool) {
    const call = () => (this.#call === 'lend' ? pool.lend(this.#frame, 0, 32) : pool[this.#call](this.#frame))
    if (!this.#isMisuse(model)) {
      call()
      this.#apply(model)
    } else if (model.debug) expect(call).toThrow(expect.objectContaining({ code: 'EFAULT' }))
    else {
      call()
      model.misuses++
    }
    agree(model, pool)
  }
  #apply({ counts, lent }: Model): void {
    const frame = this.#frame
    if (this.#call === 'retain') counts[frame]++
    if (this.#call === 'lend') lent[frame]++
    if (this.#call === 'giveBack' || this.#call === 'handOver') lent[frame]--
    if (this.#call === 'release' || this.#call === 'giveBack') counts[frame]--
  }
  toString = () => `${this.#call}(${this.#frame})`
}

function agree(model: Model, pool: FramePool): void {
  const free = model.counts.filter((count) => count === 0).length
  expect(pool.available).toBe(free)
  expect(pool.belowWatermark).toBe(free <= RESERVE)
  expect(pool.exhausted).toBe(model.exhausted)
  expect(pool.misuses).toBe(model.misuses)
  for (let frame = 0; frame < FRAMES; frame++) {
    expect(pool.count(frame)).toBe(model.counts[frame])
    expect(pool.holds(frame)).toBe(model.counts[frame] > 0)
  }
}

const frame = fc.integer({ min: -1, max: FRAMES })
const commands = [
  fc.boolean().map((device) => new Allocate(device)),
  ...(['retain', 'release', 'lend', 'giveBack', 'handOver'] as const).map((call) =>
    frame.map((index) => new OnFrame(call, index)),
  ),
]

const window = createPlainWindow(FRAMES, { frameSize: 128, headroom: 0 })
const model = (debug: boolean): Model => ({
  counts: new Array(FRAMES).fill(0),
  lent: new Array(FRAMES).fill(0),
  exhausted: 0,
  misuses: 0,
  debug,
})
const steps = fc.commands(commands, { maxCommands: 100, size: 'max' })

test.each([
  ['a pool', FramePool],
  ['a debug pool', DebugFramePool],
] as const)('%s behaves like its model', (_, Pool) => {
  fc.assert(
    fc.property(steps, (chosen) => {
      const real = new Pool(window, { deviceReserve: RESERVE })
      fc.modelRun(() => ({ model: model(Pool === DebugFramePool), real }), chosen)
    }),
    { numRuns: 100 },
  )
})
