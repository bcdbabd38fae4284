import { BLOCK_READ, copyBytes, type FramePool, ParakernelError, type PersistentRegion } from '@parakernel/hal'
import type { LogGeometry } from '../log/geometry.ts'
import { statusError } from '../medium/errno.ts'
import type { Medium } from '../medium/medium.ts'
import { MediumRequest } from '../medium/request.ts'

/** Bytes of the log by position, whatever records they are of. What is asked for has been written. */
export interface RangeReader {
  /** Most bytes that one request brings. */
  readonly reach: number
  /** @throws EIO and others for what cannot be read */
  read(position: number, length: number): Promise<Uint8Array>
  /** As `read`, without Node's loop: turns the medium's own until the bytes are here. */
  readNow(position: number, length: number): Uint8Array
  close(): void
}

export function openReader(medium: Medium, geometry: LogGeometry): RangeReader {
  const { persistent } = medium
  if (persistent !== undefined) return new PersistentReader(persistent.region, persistent.position, geometry)
  return new BlockReader(medium, geometry)
}

const LANES = 32

/** A frame with the request that fills it. */
interface Lane {
  readonly frame: number
  readonly request: MediumRequest
  resolve: (() => void) | undefined
  busy: boolean
}

/** Reads blocks, several at a time, each through a frame of its own. Those who find none free wait in line. */
class BlockReader implements RangeReader {
  readonly reach: number
  readonly #medium: Medium
  readonly #pool: FramePool
  readonly #start: number
  readonly #ring: number
  readonly #unit: number
  readonly #room: number
  readonly #lanes: Lane[] = []
  readonly #idle: Lane[] = []
  readonly #line: ((lane: Lane) => void)[] = []
  #closed = false

  constructor(medium: Medium, geometry: LogGeometry) {
    this.#medium = medium
    this.#pool = medium.pool
    this.#start = geometry.start
    this.#ring = geometry.length
    this.#unit = geometry.unit
    this.#room = medium.pool.frameSize - (medium.pool.frameSize % geometry.unit)
    this.reach = this.#room - geometry.unit
    const count = Math.max(1, Math.min(LANES, (medium.pool.available - medium.pool.deviceReserve) >>> 2))
    for (let i = 0; i < count; i++) this.#addLane()
    if (this.#lanes.length === 0) {
      throw new ParakernelError('ENOBUFS', 'no free frame to read records with', {
        subject: medium.name,
        remedy: 'Give the lease more frames',
      })
    }
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    const lane = this.#idle.pop() ?? (await new Promise<Lane>((resolve) => this.#line.push(resolve)))
    try {
      for (let done = 0; done < length; ) {
        await new Promise<void>((resolve) => {
          lane.resolve = resolve
          this.#submit(lane, position + done, length - done)
        })
        done += this.#take(lane, position + done, length - done, bytes, done)
      }
    } finally {
      this.#giveLane(lane)
    }
    return bytes
  }

  readNow(position: number, length: number): Uint8Array {
    const lane = this.#idle.pop()
    if (lane === undefined) {
      throw new ParakernelError('EBUSY', 'every frame for reading is in use', {
        subject: this.#medium.name,
        remedy: 'Use the asynchronous read',
      })
    }
    const bytes = new Uint8Array(length)
    try {
      for (let done = 0; done < length; ) {
        this.#submit(lane, position + done, length - done)
        this.#medium.loop.runUntil(() => !lane.busy)
        done += this.#take(lane, position + done, length - done, bytes, done)
      }
    } finally {
      // Within a round of the loop nothing can be waited for: then the lane comes back when the device has answered.
      if (lane.busy) lane.resolve = () => this.#giveLane(lane)
      else this.#giveLane(lane)
    }
    return bytes
  }

  close(): void {
    this.#closed = true
    for (const lane of this.#lanes) if (!lane.busy) this.#pool.release(lane.frame)
  }

  #addLane(): void {
    const frame = this.#pool.allocate()
    if (frame < 0) return
    const lane: Lane = {
      frame,
      request: new MediumRequest(() => {
        lane.busy = false
        if (this.#closed) this.#pool.release(frame)
        const { resolve } = lane
        if (resolve === undefined) return
        lane.resolve = undefined
        this.#medium.loop.requestYield()
        resolve()
      }),
      resolve: undefined,
      busy: false,
    }
    this.#lanes.push(lane)
    this.#idle.push(lane)
  }

  #giveLane(lane: Lane): void {
    const next = this.#line.shift()
    if (next === undefined) this.#idle.push(lane)
    else next(lane)
  }

  /** The blocks of the next piece: as many as the frame takes, up to the ring's end. */
  #submit(lane: Lane, position: number, length: number): void {
    const from = position % this.#ring
    const before = from % this.#unit
    const wanted = Math.min(this.#room, before + length, this.#ring - from + before)
    const size = Math.ceil(wanted / this.#unit) * this.#unit
    lane.busy = true
    lane.request.begin(BLOCK_READ, this.#start + from - before).add(lane.frame, 0, size)
    this.#medium.submit(lane.request)
  }

  /** Copies what the piece has of the range. Returns the bytes. */
  #take(lane: Lane, position: number, length: number, bytes: Uint8Array, at: number): number {
    const { status } = lane.request
    if (status !== 0) throw statusError(status, `records at ${position} cannot be read`, this.#medium.name)
    const from = position % this.#ring
    const before = from % this.#unit
    const size = Math.min(this.#room - before, length, this.#ring - from)
    this.#pool.copyOut(this.#pool.address(lane.frame) + before, size, bytes, at)
    return size
  }
}

/** Copies out of persistent memory. */
class PersistentReader implements RangeReader {
  readonly reach = 65_536
  readonly #region: PersistentRegion
  readonly #bytes: Uint8Array
  readonly #offset: number
  readonly #ring: number

  constructor(region: PersistentRegion, position: number, geometry: LogGeometry) {
    this.#region = region
    this.#bytes = new Uint8Array(region.region.buffer)
    this.#offset = position + geometry.start
    this.#ring = geometry.length
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    return this.readNow(position, length)
  }

  readNow(position: number, length: number): Uint8Array {
    const from = this.#offset + (position % this.#ring)
    const poisoned = this.#region.poisonedFrom(from)
    if (poisoned >= 0 && poisoned < from + length) {
      throw new ParakernelError('EIO', `records at ${position} cannot be read: the memory is poisoned`, {
        subject: this.#region.name,
      })
    }
    const bytes = new Uint8Array(length)
    // No record crosses the ring's end here, but a run of several may.
    const first = Math.min(length, this.#ring - (position % this.#ring))
    copyBytes(this.#bytes, this.#region.byteOffset + from, first, bytes, 0)
    if (first < length) {
      copyBytes(this.#bytes, this.#region.byteOffset + this.#offset, length - first, bytes, first)
    }
    return bytes
  }

  close(): void {}
}
