import { EmulatedNvme, type NvmeControllerOptions } from '@parakernel/emulated'
import { MonotonicClock, VirtualClock } from '@parakernel/hal'
import { nvmeDriverConformance } from './driver-suite.ts'

const controllers: Readonly<Record<string, NvmeControllerOptions>> = {
  'the emulated controller': {},
  'the emulated controller with latency': { latency: 30_000, jitter: 60_000, readyLatency: 1e6, reorder: true },
  'the emulated controller without SGLs, 512-byte blocks': {
    sgl: false,
    namespaces: [{ blocks: 4096, blockSize: 512 }],
  },
}

for (const virtual of [false, true]) {
  for (const [name, options] of Object.entries(controllers)) {
    nvmeDriverConformance({
      name: virtual ? `${name}, virtual clock` : name,
      setup: () => {
        const clock = virtual ? new VirtualClock() : new MonotonicClock()
        const controller = new EmulatedNvme(options, clock)
        return { clock, transport: () => controller, remove: () => controller.remove(), close: () => {} }
      },
    })
  }
}
