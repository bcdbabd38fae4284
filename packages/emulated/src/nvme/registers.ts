import type { Clock, RegisterWindow } from '@parakernel/hal'
import { VERSION } from './identify-pages.ts'
import type { ResolvedNvmeOptions } from './options.ts'

/** Offsets: base specification 2.0, section 3.1.3. */
const CAP = 0x00
const VS = 0x08
const INTMS = 0x0c
const INTMC = 0x10
const CC = 0x14
const CSTS = 0x1c
const AQA = 0x24
const ASQ = 0x28
const ACQ = 0x30
const DOORBELLS = 0x1000
const ALL_ONES = 0xffff_ffff
const PAGE = 4096

const ENABLE = 1
const READY = 1
const FATAL = 2
const SHUTDOWN_DONE = 2 << 2
/** CC fields that must be 0: the command set, the page size, the arbitration. */
const UNSUPPORTED = 0x3ff0
/** Of 500 ms. */
const READY_TIMEOUT = 2

/** What registers cause. */
export interface RegisterEvents {
  /** The controller becomes ready, with these admin queues. */
  enable(submission: number, submissionEntries: number, completion: number, completionEntries: number): void
  reset(): void
  shutdown(): void
  submissionDoorbell(queue: number, value: number): void
  completionDoorbell(queue: number, value: number): void
  disabledDoorbell(): void
}

/** The register file of the controller, with what CC does to CSTS. */
export class Registers implements RegisterWindow {
  readonly byteLength: number
  readonly #options: ResolvedNvmeOptions
  readonly #clock: Clock
  readonly #events: RegisterEvents
  readonly #words = new Uint32Array(0x40 / 4)
  #removed = false
  #accessesLeft = Number.POSITIVE_INFINITY
  #onRemoval: () => void = () => {}
  /** When CSTS.RDY follows CC.EN. */
  #transition = Number.POSITIVE_INFINITY

  constructor(options: ResolvedNvmeOptions, clock: Clock, events: RegisterEvents) {
    this.#options = options
    this.#clock = clock
    this.#events = events
    const doorbells = 2 * (options.queues + 1) * (4 << options.doorbellStride)
    this.byteLength = Math.ceil((DOORBELLS + doorbells) / PAGE) * PAGE
    this.powerOn()
  }

  get ready(): boolean {
    return !this.#removed && (this.#words[CSTS / 4] & (READY | FATAL)) === READY
  }

  read32(offset: number): number {
    this.#count()
    if (this.#removed) return ALL_ONES
    this.run()
    return offset < DOORBELLS ? (this.#words[offset >>> 2] ?? 0) : 0
  }

  write32(offset: number, value: number): void {
    this.#count()
    if (this.#removed) return
    this.run()
    if (offset >= DOORBELLS) this.#doorbell(offset - DOORBELLS, value >>> 0)
    else if (offset === CC) this.#configure(value >>> 0)
    else if (offset === AQA || (offset >= ASQ && offset < ACQ + 8)) {
      // Only while the controller is disabled.
      if ((this.#words[CC / 4] & ENABLE) === 0) this.#words[offset >>> 2] = value
    } else if (offset === INTMS) this.#words[INTMS / 4] |= value
    else if (offset === INTMC) this.#words[INTMS / 4] &= ~value
  }

  /** Lets a transition of CC.EN take effect when its time has come. */
  run(): void {
    if (this.#transition === Number.POSITIVE_INFINITY || this.#clock.now() < this.#transition) return
    this.#transition = Number.POSITIVE_INFINITY
    const words = this.#words
    if ((words[CC / 4] & ENABLE) === 0) {
      words[CSTS / 4] = 0
      return
    }
    const address = (at: number) => words[at / 4 + 1] * 0x1_0000_0000 + words[at / 4]
    const submissionEntries = (words[AQA / 4] & 0xfff) + 1
    const completionEntries = ((words[AQA / 4] >>> 16) & 0xfff) + 1
    const aligned = address(ASQ) % PAGE === 0 && address(ACQ) % PAGE === 0 && address(ASQ) > 0 && address(ACQ) > 0
    const supported = (words[CC / 4] & UNSUPPORTED) === 0 && words[CC / 4] >>> 16 === 0x46
    if (!aligned || !supported || submissionEntries < 2 || completionEntries < 2) {
      words[CSTS / 4] |= FATAL
      return
    }
    words[CSTS / 4] = READY
    this.#events.enable(address(ASQ), submissionEntries, address(ACQ), completionEntries)
  }

  nextEvent(): number {
    return this.#transition
  }

  fail(): void {
    this.#words[CSTS / 4] |= FATAL
  }

  remove(): void {
    this.#removed = true
    this.#transition = Number.POSITIVE_INFINITY
  }

  removeAfter(accesses: number, onRemoval: () => void): void {
    this.#accessesLeft = accesses
    this.#onRemoval = onRemoval
  }

  powerOn(): void {
    const words = this.#words
    words.fill(0)
    words[CAP / 4] = (this.#options.queueEntries - 1) | (1 << 16) | (READY_TIMEOUT << 24)
    words[CAP / 4 + 1] = this.#options.doorbellStride | (1 << 5)
    words[VS / 4] = VERSION
    this.#removed = false
    this.#accessesLeft = Number.POSITIVE_INFINITY
    this.#transition = Number.POSITIVE_INFINITY
  }

  #configure(value: number): void {
    const words = this.#words
    const before = words[CC / 4]
    words[CC / 4] = value
    const shutdown = (value >>> 14) & 3
    if (shutdown !== 0 && ((before >>> 14) & 3) === 0) {
      this.#events.shutdown()
      words[CSTS / 4] |= SHUTDOWN_DONE
    }
    if (((before ^ value) & ENABLE) === 0) return
    // A controller that stops touches nothing from here on; that it says so may take longer.
    if ((value & ENABLE) === 0) this.#events.reset()
    this.#transition = this.#clock.now() + this.#options.readyLatency
    if (this.#options.readyLatency === 0) this.run()
  }

  #doorbell(offset: number, value: number): void {
    if (!this.ready) {
      this.#events.disabledDoorbell()
      return
    }
    const index = offset / (4 << this.#options.doorbellStride)
    const queue = Math.floor(index / 2)
    // An address between two doorbells is nobody's.
    if (!Number.isInteger(index)) this.#events.submissionDoorbell(0xffff, value)
    else if (index % 2 === 0) this.#events.submissionDoorbell(queue, value)
    else this.#events.completionDoorbell(queue, value)
  }

  #count(): void {
    if (this.#removed || this.#accessesLeft-- > 0) return
    this.#accessesLeft = Number.POSITIVE_INFINITY
    this.#onRemoval()
  }
}
