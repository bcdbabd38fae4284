import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BackendContext, NetDevice } from '@parakernel/hal'
import { netDeviceConformance } from '@parakernel/hal-conformance'
import { afterAll } from 'vitest'
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
