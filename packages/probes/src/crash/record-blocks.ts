import {
  type AttachContext,
  attachBlockQueue,
  BLOCK_REFUSED,
  BLOCK_WRITE,
  type BlockBurst,
  type BlockCapabilities,
  type BlockCompletions,
  type BlockDevice,
  type BlockQueue,
  type BlockQueueGrant,
  ParakernelError,
} from '@parakernel/hal'
import { CommandTable } from '../block/command-table.ts'
import { ForwardingBlockQueue } from '../block/forwarding-queue.ts'
import { BlockProbeDevice, type BlockProbeTransport } from '../block/probe-device.ts'
import { BlockRecording, type RecordedCommand } from './block-recording.ts'
import type { Mutation, Recording } from './recording.ts'

export interface RecordBlocksOptions {
  /** What the device holds now, all namespaces behind each other. Default: a copy of its `media`, as emulated disks have, else zeroes. */
  readonly base?: Uint8Array
  readonly mutation?: Mutation
}

/** Recorders of this thread, by the number in their grants. */
const recorders = new Map<number, RecordingDevice>()
let serials = 0

/**
 * Wraps a block device so that every command is recorded with its data. Queues stay in this thread, because the recording does.
 * Reads and compares change nothing and are counted as events alone.
 */
export function recordBlocks(
  device: BlockDevice & { readonly media?: Uint8Array },
  options: RecordBlocksOptions = {},
): { readonly device: RecordingDevice; readonly recording: Recording } {
  const base = options.base?.slice() ?? (device.media === undefined ? blank(device) : new Uint8Array(device.media))
  const recording = new BlockRecording(device.name, base, device.capabilities, options.mutation)
  return { device: new RecordingDevice(device, recording), recording }
}

function blank({ namespaces, capabilities }: BlockDevice): Uint8Array {
  let blocks = 0
  for (const count of namespaces.values()) blocks += count
  return new Uint8Array(blocks * capabilities.blockSize)
}

export class RecordingDevice extends BlockProbeDevice<number> {
  readonly #serial = ++serials
  readonly #recording: BlockRecording

  constructor(inner: BlockDevice, recording: BlockRecording) {
    super('block-recorder', inner)
    this.#recording = recording
    recorders.set(this.#serial, this)
  }

  override get capabilities(): BlockCapabilities {
    return { ...super.capabilities, attach: 'thread' }
  }

  /** Attaches a grant over a queue of the recorded device that is attached already: without a promise. */
  over(inner: BlockQueue, grant: BlockQueueGrant): BlockQueue {
    return new RecordingQueue(inner, grant, this.#recording, this.namespaces)
  }

  override async close(): Promise<void> {
    recorders.delete(this.#serial)
    await super.close()
  }

  protected settings(): number {
    return this.#serial
  }
}

/** @throws ENOTSUP in another thread than the recorder's */
export async function attachRecorder(grant: BlockQueueGrant, context: AttachContext): Promise<BlockQueue> {
  const { inner, settings } = grant.transport as BlockProbeTransport<number>
  const recorder = recorders.get(settings)
  if (recorder === undefined) {
    throw new ParakernelError('ENOTSUP', 'a recorded queue stays in the thread that records', {
      subject: `${grant.device} queue ${grant.queue}`,
    })
  }
  return recorder.over(await attachBlockQueue(inner, context), grant)
}

class RecordingQueue extends ForwardingBlockQueue {
  readonly #recording: BlockRecording
  readonly #namespaceStart: number
  readonly #table: CommandTable
  readonly #commands: (RecordedCommand | undefined)[]

  constructor(
    inner: BlockQueue,
    grant: BlockQueueGrant,
    recording: BlockRecording,
    namespaces: ReadonlyMap<number, number>,
  ) {
    super(inner, grant)
    this.#recording = recording
    let start = 0
    for (const [namespace, blocks] of namespaces) if (namespace < grant.range.namespace) start += blocks
    this.#namespaceStart = start * inner.capabilities.blockSize
    this.#table = new CommandTable(inner.capabilities.queueDepth + 1024)
    this.#commands = []
  }

  submit(burst: BlockBurst, start = 0): number {
    const end = Math.min(burst.count, start + this.#table.free)
    const { count } = burst
    burst.count = end
    for (let i = start; i < end; i++) this.#table.enter(burst, i)
    const done = this.inner.submit(burst, start)
    burst.count = count
    for (let i = start; i < end; i++) {
      const row = this.#table.restore(burst, i)
      if (i >= start + done || (burst.flags[i] & BLOCK_REFUSED) !== 0) this.#table.leave(row)
      else this.#commands[row] = this.#record(burst, i)
    }
    return done
  }

  complete(completions: BlockCompletions): number {
    const count = this.inner.complete(completions)
    for (let i = 0; i < count; i++) {
      const row = completions.cookie[i]
      completions.cookie[i] = this.#table.leave(row)
      const command = this.#commands[row]
      this.#commands[row] = undefined
      if (command !== undefined) this.#recording.completed(command, completions.status[i])
    }
    return count
  }

  #record(burst: BlockBurst, i: number): RecordedCommand {
    const opcode = burst.opcode[i]
    const data = opcode === BLOCK_WRITE ? this.#gather(burst, i) : undefined
    return this.#recording.submitted(opcode, this.#namespaceStart, burst.lba[i], burst.blocks[i], burst.flags[i], data)
  }

  #gather(burst: BlockBurst, i: number): Uint8Array {
    const { pool } = this
    const data = new Uint8Array(burst.blocks[i] * this.capabilities.blockSize)
    let at = 0
    for (let s = burst.firstSegment[i]; s < burst.firstSegment[i] + burst.segmentCount[i]; s++) {
      pool.copyOut(pool.address(burst.frame[s]) + burst.offset[s], burst.length[s], data, at)
      at += burst.length[s]
    }
    return data
  }
}
