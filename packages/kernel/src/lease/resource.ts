import {
  type BlockDevice,
  type BlockQueueGrant,
  type BlockRange,
  type FrameWindow,
  type NetDevice,
  type NetQueueGrant,
  ParakernelError,
  type PersistentDevice,
  type PersistentGrant,
  type PersistentRange,
} from '@parakernel/hal'

/** What a lease can hold. A range of blocks comes with the queue by which it is reached. */
export type Resource =
  | { readonly kind: 'net-queue'; readonly device: NetDevice; readonly queue: number }
  | {
      readonly kind: 'block-queue'
      readonly device: BlockDevice
      readonly queue: number
      readonly range: BlockRange
    }
  | { readonly kind: 'persistent-range'; readonly device: PersistentDevice; readonly range: PersistentRange }
  | { readonly kind: 'frames'; readonly window: FrameWindow }

export type ResourceKind = Resource['kind']

/** A lease as it goes to the partition that holds it: plain clonable data. */
export type LeasedGrant =
  | { readonly lease: number; readonly kind: 'net-queue'; readonly grant: NetQueueGrant }
  | { readonly lease: number; readonly kind: 'block-queue'; readonly grant: BlockQueueGrant }
  | { readonly lease: number; readonly kind: 'persistent-range'; readonly grant: PersistentGrant }

/** Names a resource in errors and listings: `nic queue 3`, `disk queue 0 blocks 0-1023`. */
export function describeResource(resource: Resource): string {
  switch (resource.kind) {
    case 'net-queue':
      return `${resource.device.name} queue ${resource.queue}`
    case 'block-queue': {
      const { device, queue, range } = resource
      const last = range.firstLba + range.blocks - 1
      return `${device.name} queue ${queue}, namespace ${range.namespace} blocks ${range.firstLba}-${last}`
    }
    case 'persistent-range': {
      const { device, range } = resource
      return `${device.name} bytes ${range.byteOffset}-${range.byteOffset + range.byteLength - 1}`
    }
    case 'frames':
      return `frame window ${resource.window.lease}`
  }
}

/** What of `wanted` is `held` already: a queue, or a part of a range; undefined when they are apart. */
export function conflictOf(wanted: Resource, held: Resource): string | undefined {
  if (wanted.kind === 'frames') {
    if (held.kind !== 'frames' || held.window.region.buffer !== wanted.window.region.buffer) return undefined
    const bytes = ({ byteOffset, frameSize, frameCount }: FrameWindow) => [byteOffset, frameSize * frameCount] as const
    return overlap(bytes(wanted.window), bytes(held.window), 'bytes')
  }
  if (held.kind !== wanted.kind || held.device !== wanted.device) return undefined
  if (wanted.kind === 'persistent-range') {
    const bytes = ({ byteOffset, byteLength }: PersistentRange) => [byteOffset, byteLength] as const
    return overlap(bytes(wanted.range), bytes((held as typeof wanted).range), 'bytes')
  }
  const { queue } = held as typeof wanted
  if (queue === wanted.queue) return 'the queue'
  if (wanted.kind === 'net-queue') return undefined
  const { range } = held as typeof wanted
  if (range.namespace !== wanted.range.namespace) return undefined
  const blocks = ({ firstLba, blocks: count }: BlockRange) => [firstLba, count] as const
  return overlap(blocks(wanted.range), blocks(range), 'blocks')
}

function overlap(a: readonly [number, number], b: readonly [number, number], unit: string): string | undefined {
  const first = Math.max(a[0], b[0])
  const end = Math.min(a[0] + a[1], b[0] + b[1])
  return first < end ? `${unit} ${first}-${end - 1}` : undefined
}

/** Binds a resource at its device; undefined for frames, which no device hands out. @throws what `device.grant` throws */
export function bindResource(resource: Resource, window: FrameWindow, lease: number): LeasedGrant | undefined {
  switch (resource.kind) {
    case 'net-queue':
      return { lease, kind: 'net-queue', grant: resource.device.grant(resource.queue, window) }
    case 'block-queue':
      return { lease, kind: 'block-queue', grant: resource.device.grant(resource.queue, resource.range, window) }
    case 'persistent-range':
      return { lease, kind: 'persistent-range', grant: resource.device.grant(resource.range, lease) }
    case 'frames':
      return undefined
  }
}

/** Takes a resource back at its device. Idempotent. */
export function reclaimResource(resource: Resource, leased: LeasedGrant | undefined): void {
  if (resource.kind === 'frames') return
  if (leased?.kind !== resource.kind)
    throw new ParakernelError('EINVAL', 'a grant of another kind')
    // The kinds agree, as was checked; the compiler does not follow two unions at once.
  ;(resource.device.reclaim as (grant: unknown) => void).call(resource.device, leased.grant)
}
