export type { AdminCommand, AdminResult } from './admin/command.ts'
export * as admin from './admin/command.ts'
export { blockBackend, type NvmeTransportFactory, openNvme } from './backend.ts'
export type { ControllerState } from './control/controller.ts'
export { type DeviceEvent, NvmeDevice } from './control/device.ts'
export type { DeviceHealth } from './control/device-health.ts'
export type { NvmeOptions } from './options.ts'
export { PassthroughDevice } from './passthrough/device.ts'
export type { PassthroughOptions } from './passthrough/options.ts'
export { PassthroughQueue } from './passthrough/queue.ts'
export type { NvmeQueueGrant, NvmeQueueTransport } from './queue/grant.ts'
export { NvmeQueue } from './queue/nvme-queue.ts'
export type { ControllerCapabilities } from './registers/capabilities.ts'
export * from './spec/features.ts'
export type { CommandSetLimits, ControllerIdentity, NamespaceIdentity, OptionalCommands } from './spec/identify.ts'
export type { AsyncEvent, ErrorLogEntry, FirmwareLog, SmartLog } from './spec/log-pages.ts'
export { ERRNO_NUMBERS, STATUS_CODES, type StatusCode, type StatusErrno } from './spec/status.ts'
export {
  completionStatus,
  decodeStatus,
  isRetriable,
  NvmeError,
  type NvmeStatus,
  statusErrno,
} from './spec/status-error.ts'
export type { DeviceModel, Interrupts, NvmeTransport, RegisterShare, VectorShare } from './transport.ts'
export { openVfioTransport } from './vfio/transport.ts'
