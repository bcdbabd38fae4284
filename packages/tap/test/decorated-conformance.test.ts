import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BackendContext, NetDevice } from '@parakernel/hal'
import { netDeviceConformance } from '@parakernel/hal-conformance'
import { faults, pcap, trace } from '@parakernel/probes'
import { afterAll, describe, test } from 'vitest'
import { createBridgeFixture, labMissing } from './bridge-fixture.ts'

const missing = labMissing()
const directory = mkdtempSync(join(tmpdir(), 'tap-'))
afterAll(() => rmSync(directory, { recursive: true }))
let files = 0

/** Every probe at once: a capture around faults (a delay, nothing lost) around a trace around the device. */
const decorate = (device: NetDevice, context: BackendContext) => {
  const traced = trace.wrap(device, { file: join(directory, `${files++}.json`) }, context)
  const delayed = faults.wrap(traced, { delay: 20_000, capacity: 128 }, context)
  return pcap.wrap(delayed, { directory, name: `capture${files++}` }, context)
}

if (missing === undefined) {
  netDeviceConformance({
    name: 'pcap over faults over trace over tap, 2 queues',
    setup: () => createBridgeFixture('cd', { queues: 2 }),
    decorate,
  })
} else {
  describe('tap under decorators', () => {
    test('net device conformance', (context) => context.skip(missing))
  })
}
