export * from './contracts.ts'
export { ControlPlane, type ControlPlaneOptions } from './control/control-plane.ts'
export type { PartitionSpecification, Restart, RestartPolicy } from './control/specification.ts'
export type { SupervisedPartition, SupervisedStatistics } from './control/supervised-partition.ts'
export { type Enforcement, GUARD } from './lease/enforcement.ts'
export {
  Lease,
  type LeaseEnd,
  type LeaseEndKind,
  type LeaseHolder,
  type LeaseLoss,
  type LeaseOwner,
  type LeaseState,
} from './lease/lease.ts'
export {
  DEFAULT_DEADLINE,
  LEASE_COUNTERS,
  type LeaseCounter,
  LeaseTable,
  type LeaseTableOptions,
} from './lease/lease-table.ts'
export type { LeasedGrant, Resource, ResourceKind } from './lease/resource.ts'
export type { HistogramSnapshot } from './loop/log-histogram.ts'
export * from './loop/loop-trace.ts'
export type { GroupStatistics } from './loop/poll-group.ts'
export { MAX_READY_FLAGS, ReadyFlags, readyFlagsBuffer } from './loop/ready-flags.ts'
export { ReadySet } from './loop/ready-set.ts'
export { type DriverKind, RunLoop, type RunLoopOptions } from './loop/run-loop.ts'
export { DEFAULT_STALL_BOUND, type Stall, type StallOptions } from './loop/stall-detector.ts'
export { LOOP_COUNTERS, type LoopCounter, LoopCounters, type LoopStatistics } from './loop/statistics.ts'
export { DEFAULT_SPIN } from './loop/waiting-policy.ts'
export type { PartitionExit, PartitionHandle, PartitionStatistics } from './partition/handle.ts'
export { runPartitionInline } from './partition/inline.ts'
export type { Peers } from './partition/peer-calls.ts'
export { type SpawnOptions, spawnPartition } from './partition/spawn.ts'
export type { ProcessPlan } from './process/process-plan.ts'
export { type ExitStatus, type ProcessHandle, type SpawnProcessOptions, spawnProcess } from './process/spawn-process.ts'
export { createRing, type RingOptions, ringDepth } from './ring/layout.ts'
export { RingConsumer } from './ring/ring-consumer.ts'
export { RING_BATCH, RingPollable } from './ring/ring-pollable.ts'
export { RingProducer, wake } from './ring/ring-producer.ts'
export { type PlacedRule, placeRules } from './steering/place-rules.ts'
export { checkRules, type PartitionRule } from './steering/rule.ts'
export { misroutedShare, STEERING_COUNTERS, SteeringCounters, type SteeringStatistics } from './steering/statistics.ts'
export {
  STEERING_HEADER_BYTES,
  type SteeringContext,
  type SteeringPlan,
  steerQueues,
} from './steering/steered-queue.ts'
export { TimerWheel } from './timers/timer-wheel.ts'
