import type { BlockFaultOptions } from './block/settings.ts'
import type { FaultOptions } from './faults/settings.ts'
import type { PcapOptions } from './pcap/settings.ts'
import type { TraceOptions } from './trace/settings.ts'

export { backend, blockBackend } from './attach.ts'
export { BlockFaultsDevice, blockFaults } from './block/faults-device.ts'
export type { BadBlocks, BlockFaultCounter, BlockFaultOptions } from './block/settings.ts'
export { BlockTraceDevice, blockTrace } from './block/trace-device.ts'
export { type CrashState, type CrashStatesOptions, crashState, crashStates } from './crash/crash-states.ts'
export { type RecordBlocksOptions, type RecordingDevice, recordBlocks } from './crash/record-blocks.ts'
export { persistentBackend, type RecordPersistentOptions, recordPersistent } from './crash/record-persistent.ts'
export type { Mutation, Order, Recording } from './crash/recording.ts'
export { faults } from './faults/device.ts'
export type { DirectionSettings, FaultOptions } from './faults/settings.ts'
export { PcapDevice, pcap } from './pcap/device.ts'
export type { PcapOptions } from './pcap/settings.ts'
export { TraceDevice, trace } from './trace/device.ts'
export type { TraceOptions } from './trace/settings.ts'

declare module '@parakernel/hal' {
  interface NetDecoratorOptions {
    faults: FaultOptions
    pcap: PcapOptions
    trace: TraceOptions
  }
  interface BlockDecoratorOptions {
    'block-faults': BlockFaultOptions
    'block-trace': TraceOptions
  }
}
