import {
  attachBlockQueue,
  BLOCK_REFUSED,
  BlockBurst,
  BlockCompletions,
  type BlockDevice,
  type BlockQueue,
  createFrameWindow,
  createPlainRegion,
  FramePool,
  MonotonicClock,
} from '@parakernel/hal'
import { createHost } from '@parakernel/linux'

const FRAME = 8192
const FRAMES = 128

export interface Request {
  readonly opcode: number
  readonly lba?: number
  readonly blocks?: number
  readonly flags?: number
  readonly namespace?: number
  /** Bytes to write, or to read into, split over frames in pieces of `piece`. */
  readonly data?: Uint8Array
  readonly piece?: number
}

/** One granted and attached queue, driven one command at a time or many at once, by polling. */
export class BlockSession {
  readonly device: BlockDevice
  readonly queue: BlockQueue
  readonly pool: FramePool
  readonly host = createHost()
  private readonly namespace: number
  private readonly burst = new BlockBurst(64, 512)
  private readonly completions = new BlockCompletions(64)

  private constructor(device: BlockDevice, queue: BlockQueue, pool: FramePool, namespace: number) {
    this.device = device
    this.queue = queue
    this.pool = pool
    this.namespace = namespace
  }

  /** The whole of a namespace, by default the first. */
  static async open(
    device: BlockDevice,
    namespace = [...device.namespaces.keys()][0]!,
    index = 0,
  ): Promise<BlockSession> {
    const region = createPlainRegion(FRAME * FRAMES)
    const window = createFrameWindow({ region, frameSize: FRAME, frameCount: FRAMES, headroom: 0 })
    const pool = new FramePool(window)
    const range = { namespace, firstLba: 0, blocks: device.namespaces.get(namespace)! }
    const grant = device.grant(index, range, window)
    const queue = await attachBlockQueue(grant, { pool, clock: new MonotonicClock(), host: createHost() })
    return new BlockSession(device, queue, pool, namespace)
  }

  /** Status of one command; what was read is in `data`. */
  run(request: Request): number {
    return this.runAll([request])[0]!
  }

  /** All at once. A refused command has the status NaN. */
  runAll(requests: readonly Request[]): number[] {
    const { burst, pool } = this
    burst.clear()
    const frames = requests.map((request, i) => {
      const { opcode, lba = 0, blocks = 0, flags = 0, namespace = this.namespace, data = new Uint8Array(0) } = request
      burst.push(opcode, namespace, lba, blocks, i, flags)
      const { piece = FRAME } = request
      const taken: number[] = []
      for (let at = 0; at < data.length; at += piece) {
        const frame = pool.allocate()
        const length = Math.min(piece, data.length - at)
        new Uint8Array(pool.window.region.buffer, pool.address(frame), length).set(data.subarray(at, at + length))
        burst.addSegment(frame, 0, length)
        taken.push(frame)
      }
      return taken
    })
    const statuses = new Array<number>(requests.length).fill(Number.NaN)
    let accepted = 0
    const deadline = performance.now() + 40_000
    for (let start = 0, done = 0; start < requests.length || done < accepted; ) {
      const consumed = this.queue.submit(burst, start)
      for (let i = start; i < start + consumed; i++) if ((burst.flags[i]! & BLOCK_REFUSED) === 0) accepted++
      start += consumed
      const count = this.queue.complete(this.completions)
      for (let i = 0; i < count; i++) statuses[this.completions.cookie[i]!] = this.completions.status[i]!
      done += count
      if (performance.now() > deadline) throw new Error(`${accepted - done} commands without a completion`)
    }
    for (const [i, taken] of frames.entries()) {
      const { data = new Uint8Array(0), piece = FRAME } = requests[i]!
      for (const [k, frame] of taken.entries()) {
        const length = Math.min(piece, data.length - k * piece)
        data.set(new Uint8Array(pool.window.region.buffer, pool.address(frame), length), k * piece)
        pool.release(frame)
      }
    }
    return statuses
  }

  /** Sleeps in poll(2) until the queue's descriptor says that something completed; returns what `complete` then finds. */
  sleepFor(request: Request): number {
    const { burst, queue, host } = this
    if (queue.wake.kind !== 'descriptor') throw new Error('the queue has no descriptor')
    burst.clear()
    burst.push(request.opcode, this.namespace, request.lba ?? 0, request.blocks ?? 0, 0, 0)
    const poller = host.createPoller([queue.wake.fd])
    queue.submit(burst)
    const deadline = performance.now() + 20_000
    while (!queue.arm()) {
      if (poller.wait(1e9) === 0 && performance.now() > deadline) throw new Error('no wake-up within 20 seconds')
    }
    poller.close()
    queue.complete(this.completions)
    return this.completions.count === 1 ? this.completions.status[0]! : Number.NaN
  }

  async close(): Promise<void> {
    this.queue.detach()
    this.device.reclaim(this.queue.grant)
    await this.device.close()
  }
}
