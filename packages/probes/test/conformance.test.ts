import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BackendContext, NetDevice } from '@parakernel/hal'
import { netDeviceConformance } from '@parakernel/hal-conformance'
import { afterAll } from 'vitest'
import { emulatedFixture } from '../../emulated/test/support/fixture.ts'
import { loopbackFixture } from '../../hal-conformance/test/loopback/fixture.ts'
import { faults, pcap, trace } from '../src/index.ts'

const directory = mkdtempSync(join(tmpdir(), 'probes-'))
afterAll(() => rmSync(directory, { recursive: true }))
let files = 0

const withFaults = (device: NetDevice, context: BackendContext) => faults.wrap(device, {}, context)
/** Every packet passes through the delay lines, which are short enough to fill up, and none is lost. */
const withDelay = (device: NetDevice, context: BackendContext) =>
  faults.wrap(device, { delay: 20_000, capacity: 128 }, context)
const withPcap = (device: NetDevice, context: BackendContext) =>
  pcap.wrap(device, { directory, name: `capture${files++}` }, context)
const withTrace = (device: NetDevice, context: BackendContext) =>
  trace.wrap(device, { file: join(directory, `${files++}.json`) }, context)

const setup = () => loopbackFixture(2)
netDeviceConformance({ name: 'faults without any', setup, decorate: withFaults })
netDeviceConformance({ name: 'faults with a delay', setup, decorate: withDelay })
netDeviceConformance({ name: 'pcap', setup, decorate: withPcap })
netDeviceConformance({ name: 'trace', setup, decorate: withTrace })
netDeviceConformance({
  name: 'pcap over faults over trace',
  setup,
  decorate: (device, context) => withPcap(withDelay(withTrace(device, context), context), context),
})

// The emulated NIC has chains, tags, checksums and segmentation; the virtual clock makes delays exact.
netDeviceConformance({
  name: 'faults with a delay over an emulated NIC',
  setup: () => emulatedFixture({ nic: { queues: 2 } }),
  decorate: withDelay,
})
netDeviceConformance({
  name: 'pcap over trace over faults over an emulated NIC under a virtual clock',
  setup: () => emulatedFixture({ virtual: true, nic: { queues: 2, latency: 5_000 } }),
  decorate: (device, context) => withPcap(withTrace(withDelay(device, context), context), context),
})
