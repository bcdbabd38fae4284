import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MonotonicClock } from '@parakernel/hal'
import { type PersistentFixture, persistentDeviceConformance } from '@parakernel/hal-conformance'
import { afterAll } from 'vitest'
import { EmulatedPersistentMemory, type PersistentOptions } from '../src/index.ts'

const directory = mkdtempSync(join(tmpdir(), 'persistent-conformance-'))
afterAll(() => rmSync(directory, { recursive: true }))
let files = 0

function fixture(options: PersistentOptions): PersistentFixture {
  const device = new EmulatedPersistentMemory({ size: 262_144, ...options })
  let reopened: EmulatedPersistentMemory | undefined
  let state = 1
  const random = () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >>> 8) / 0x80_0000
  }
  return {
    device,
    context: { clock: new MonotonicClock() },
    powerCut: () => device.powerCut(random),
    poison: (offset, length) => device.poison(offset, length),
    clearPoison: (offset, length) => device.clearPoison(offset, length),
    // Without a file, what it held is handed on.
    reopen: () => {
      reopened = new EmulatedPersistentMemory(
        { size: 262_144, ...options },
        options.path === undefined ? device.durable : undefined,
      )
      return reopened
    },
    close: async () => {
      await device.close()
      await reopened?.close()
    },
  }
}

persistentDeviceConformance({ name: 'emulated, cache lines', setup: () => fixture({}) })
persistentDeviceConformance({ name: 'emulated, bytes', setup: () => fixture({ granularity: 1 }) })
persistentDeviceConformance({ name: 'emulated, pages', setup: () => fixture({ granularity: 4096 }) })
persistentDeviceConformance({
  name: 'emulated over an image file',
  setup: () => fixture({ path: join(directory, `image${files++}`) }),
  skip: { 'calls: persist allocates nothing': 'node:fs makes objects of its own' },
})
