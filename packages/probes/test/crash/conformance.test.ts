import { EmulatedPersistentMemory } from '@parakernel/emulated'
import { MonotonicClock } from '@parakernel/hal'
import { persistentDeviceConformance } from '@parakernel/hal-conformance'
import { recordPersistent } from '../../src/index.ts'

persistentDeviceConformance({
  name: 'a recorder over emulated persistent memory',
  setup: () => {
    const device = new EmulatedPersistentMemory({ size: 65_536 })
    return {
      device,
      context: { clock: new MonotonicClock() },
      noWorkers: 'a recording stays in its thread',
      powerCut: () => device.powerCut(Math.random),
      poison: (offset, length) => device.poison(offset, length),
      clearPoison: (offset, length) => device.clearPoison(offset, length),
      close: () => device.close(),
    }
  },
  decorate: (device) => recordPersistent(device).device,
  operations: 200,
})
