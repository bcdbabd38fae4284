import { MonotonicClock, VirtualClock } from '@parakernel/hal'
import type { BlockFixture } from '@parakernel/hal-conformance'
import { blockBackend, type DiskOptions, type EmulatedDisk } from '../../src/index.ts'

export interface DiskFixtureOptions {
  readonly disk?: DiskOptions
  /** Moves by a microsecond whenever the suite waits. */
  readonly virtual?: boolean
  /** Of the power cuts. */
  readonly seed?: number
}

let names = 0

/** An emulated disk with a few thousand small blocks, under a name of its own so that it can be reopened. */
export async function diskFixture({
  disk: options = {},
  virtual = false,
  seed = 1,
}: DiskFixtureOptions): Promise<BlockFixture> {
  const virtualClock = new VirtualClock()
  const context = { clock: virtual ? virtualClock : new MonotonicClock() }
  const named = {
    name: `conformance ${++names}`,
    queueDepth: 32,
    ...(options.namespaces ? {} : { blocks: 2048 }),
    ...options,
  }
  const open = async () => (await blockBackend.open(named, context)) as EmulatedDisk
  const device = await open()
  let reopened: EmulatedDisk | undefined
  let state = seed
  const random = () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >>> 8) / 0x80_0000
  }
  return {
    device,
    context,
    advance: () => virtualClock.advance(1_000),
    powerCut: () => device.powerCut(random),
    remove: () => device.remove(),
    reopen: async () => {
      reopened = await open()
      return reopened
    },
    close: async () => {
      await device.close()
      await reopened?.close()
    },
  }
}
