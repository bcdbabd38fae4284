import type { FaultOptions } from './faults/settings.ts'
import type { PcapOptions } from './pcap/settings.ts'
import type { TraceOptions } from './trace/settings.ts'

export { backend } from './attach.ts'
export { faults } from './faults/device.ts'
export type { DirectionSettings, FaultOptions } from './faults/settings.ts'
export { PcapDevice, pcap } from './pcap/device.ts'
export type { PcapOptions } from './pcap/settings.ts'
export type { ChromeEvent } from './trace/chrome-trace.ts'
export { TraceDevice, trace } from './trace/device.ts'
export type { TraceOptions } from './trace/settings.ts'

declare module '@parakernel/hal' {
  interface NetDecoratorOptions {
    faults: FaultOptions
    pcap: PcapOptions
    trace: TraceOptions
  }
}
