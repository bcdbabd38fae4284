import type { BlockCapabilities, DmaMapping, FrameWindow } from '@parakernel/hal'
import type { ResolvedOptions } from '../options.ts'
import type { NvmeQueueTransport } from '../queue/grant.ts'
import { completionDoorbell, submissionDoorbell } from '../registers/offsets.ts'
import type { RegisterShare, VectorShare } from '../transport.ts'
import { PAGE } from './capabilities.ts'
import type { Controller } from './controller.ts'
import { allocateQueueMemory, busAddress, listBytes } from './queue-memory.ts'
import { QueuePair } from './queue-pair.ts'

let nextSerial = 1

const NO_VECTOR: VectorShare = { kind: 'none' }

/**
 * What queue pair `queue + 1` stands on: memory for its rings, the holder's frames within the controller's reach, and a vector.
 * @throws ENOMEM, ENOTSUP, EPERM by the transport
 */
export function makePair(
  controller: Controller,
  queue: number,
  depth: number,
  window: FrameWindow,
  capabilities: BlockCapabilities,
  options: ResolvedOptions,
): QueuePair {
  const { memory: dma, interrupts } = controller.transport
  const bytes = capabilities.maxTransfer * capabilities.blockSize
  const list = listBytes(bytes, capabilities.maxSegments, capabilities.segmentPage === 0, PAGE)
  const memory = allocateQueueMemory(dma, depth, list, PAGE)
  let frames: DmaMapping | undefined
  try {
    frames = mapFrames(controller, window)
    const hardwareQueue = queue + 1
    // Vector 0 is the admin queue's, which is polled; each queue has its own.
    const vector = options.interrupts && hardwareQueue < interrupts.vectors ? hardwareQueue : -1
    const share = vector < 0 ? NO_VECTOR : interrupts.connect(vector, window.wake)
    return new QueuePair({ hardwareQueue, depth, memory, frames, window, vector, share })
  } catch (error) {
    dma.unmap(memory.mapping)
    if (frames !== undefined) dma.unmap(frames)
    throw error
  }
}

/** Whole pages around the window; a region is made of whole pages. */
function mapFrames({ transport: { memory } }: Controller, window: FrameWindow): DmaMapping {
  const { pageSize } = memory
  const first = Math.floor(window.byteOffset / pageSize) * pageSize
  const end = Math.ceil((window.byteOffset + window.frameSize * window.frameCount) / pageSize) * pageSize
  return memory.map(window.region, first, end - first)
}

/** The controller reaches the holder's frames no more. The rings are the holder's until `releaseRings`: it may still write to them. */
export function releaseFrames({ transport: { memory } }: Controller, pair: QueuePair): void {
  memory.unmap(pair.frames)
}

export function disconnect({ transport: { interrupts } }: Controller, pair: QueuePair): void {
  if (pair.share.kind !== 'none') interrupts.disconnect(pair.vector)
}

/** The holder was seen to let go, or never was there. */
export function releaseRings({ transport: { memory } }: Controller, pair: QueuePair): void {
  memory.unmap(pair.memory.mapping)
}

export function pairTransport(
  { capabilities: { doorbellStride }, limits }: Controller,
  pair: QueuePair,
  registers: RegisterShare,
  capabilities: BlockCapabilities,
  options: ResolvedOptions,
): NvmeQueueTransport {
  const { memory, frames, hardwareQueue } = pair
  return {
    serial: nextSerial++,
    registers,
    hardwareQueue,
    depth: pair.depth,
    submissionDoorbell: submissionDoorbell(hardwareQueue, doorbellStride),
    completionDoorbell: completionDoorbell(hardwareQueue, doorbellStride),
    region: memory.mapping.region,
    rings: memory.rings,
    lists: memory.lists,
    listBus: busAddress(memory, memory.lists),
    listBytes: memory.listBytes,
    frameBus: frames.busAddress - frames.byteOffset,
    pageSize: PAGE,
    sgl: capabilities.segmentPage === 0,
    retries: options.retries,
    maxRange: limits.rangeBlocks === 0 ? 0x7fff_ffff : Math.min(limits.rangeBlocks, 0x7fff_ffff),
    state: pair.state.buffer,
    vector: pair.share,
  }
}
