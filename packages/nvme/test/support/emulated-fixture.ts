import { EmulatedNvme, type NvmeControllerOptions } from '@parakernel/emulated'
import { type BlockQueueGrant, MonotonicClock, VirtualClock } from '@parakernel/hal'
import type { BlockFixture } from '@parakernel/hal-conformance'
import { type NvmeDevice, type NvmeOptions, openNvme } from '../../src/index.ts'

export interface EmulatedSetup {
  readonly controller?: NvmeControllerOptions
  readonly driver?: NvmeOptions
  readonly virtual?: boolean
  readonly powerCuts?: boolean
}

export interface EmulatedNvmeFixture extends BlockFixture {
  readonly device: NvmeDevice
  readonly controller: EmulatedNvme
}

let seed = 1

/** A driver on an emulated controller, for the block suite. */
export async function emulatedFixture({
  controller: options = {},
  driver = {},
  virtual = false,
  powerCuts = true,
}: EmulatedSetup = {}): Promise<EmulatedNvmeFixture> {
  const clock = virtual ? new VirtualClock() : new MonotonicClock()
  const controller = new EmulatedNvme(options, clock)
  const device = await openNvme(controller, { queues: 2, depth: 64, ...driver }, { clock })
  let reopened: NvmeDevice | undefined
  const grants: BlockQueueGrant[] = []
  const grant = device.grant.bind(device)
  device.grant = (...args) => {
    const made = grant(...args)
    grants.push(made)
    return made
  }
  return {
    device,
    controller,
    context: { clock },
    advance: () => {
      if (clock instanceof VirtualClock) clock.advanceTo(Math.min(controller.nextEvent(), clock.now() + 1e6))
    },
    ...(powerCuts && {
      powerCut: async () => {
        controller.powerCut(randomFrom(seed++))
        for (const one of grants.splice(0)) device.reclaim(one)
        device.watch()
        await device.idle()
      },
    }),
    remove: () => {
      controller.remove()
      device.watch()
    },
    reopen: async () => {
      reopened = await openNvme(controller, { queues: 2, depth: 64, ...driver }, { clock })
      return reopened
    },
    close: async () => {
      await device.close()
      await reopened?.close()
    },
  }
}

/** mulberry32 in [0, 1). */
export function randomFrom(start: number): () => number {
  let state = start | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 0x1_0000_0000
  }
}
