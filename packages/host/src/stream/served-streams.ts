import type { FramePool } from '@parakernel/hal'
import { STREAM_CLOSED, STREAM_DATA, STREAM_RELEASE, StreamBurst, type StreamHandler } from '@parakernel/queue'
import type { SocketContext } from '../context.ts'
import type { Service } from './service.ts'

const CAPACITY = 64
/** Bursts before Node's loop has its turn. */
const ROUNDS = 16

/** One handler's connections. What happened in a turn of Node's loop is handed over as a burst when the turn ends. */
export class ServedStreams {
  readonly #context: SocketContext
  readonly #handler: StreamHandler
  readonly #burst = new StreamBurst(CAPACITY)
  readonly #rows: Service[] = []
  #stirred = new Set<Service>()
  #scheduled = false
  readonly #run = () => {
    this.#scheduled = false
    for (let i = 0; i < ROUNDS && this.#stirred.size > 0; i++) if (!this.#round()) break
    if (this.#stirred.size > 0) this.#schedule()
  }

  constructor(context: SocketContext, handler: StreamHandler) {
    this.#context = context
    this.#handler = handler
  }

  get pool(): FramePool {
    return this.#context.pool
  }

  stir(service: Service): void {
    this.#stirred.add(service)
    this.#schedule()
  }

  leave(service: Service): void {
    this.#stirred.delete(service)
  }

  /** Adds a row, with no bytes. False when the burst is full. */
  add(service: Service, event: number): boolean {
    return this.addBytes(service, event, -1, 0, 0)
  }

  addBytes(service: Service, event: number, frame: number, address: number, length: number): boolean {
    const burst = this.#burst
    if (burst.count === CAPACITY) return false
    const row = burst.count++
    this.#rows[row] = service
    burst.qd[row] = service.qd
    burst.event[row] = event
    burst.frame[row] = frame
    burst.address[row] = address
    burst.length[row] = length
    burst.verdict[row] = STREAM_RELEASE
    return true
  }

  get room(): number {
    return CAPACITY - this.#burst.count
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#run)
  }

  /** One burst; false when there was nothing to tell. */
  #round(): boolean {
    const stirred = this.#stirred
    this.#stirred = new Set()
    for (const service of stirred) service.offer()
    const burst = this.#burst
    if (burst.count === 0) return false
    this.#handler(burst, this.#context.runtime.loop.clock.now())
    for (let row = 0; row < burst.count; row++) this.#settle(row)
    for (let row = 0; row < burst.count; row++) this.#rows[row].offered()
    burst.count = 0
    return true
  }

  #settle(row: number): void {
    const service = this.#rows[row]
    const { event, frame, address, length, verdict } = this.#burst
    if (event[row] === STREAM_CLOSED) service.end()
    if (event[row] !== STREAM_DATA) return
    const start = address[row]
    const keeps = service.settle(verdict[row], start, length[row])
    if (!keeps) this.pool.release(frame[row])
  }
}
