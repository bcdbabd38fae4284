import type { NetQueueGrant } from '@parakernel/hal'
import { MODULE } from './module.ts'

export type ProbeName = 'pcap' | 'faults' | 'trace'

/** The transport of a probe's grant: the grant that it wraps, and what the data half needs to know. Plain data. */
export interface ProbeTransport<Settings> {
  readonly probe: ProbeName
  readonly inner: NetQueueGrant
  readonly settings: Settings
}

export type ProbeGrant<Settings> = NetQueueGrant<ProbeTransport<Settings>>

/** A grant that names this package's module, and is otherwise the one that it wraps. */
export function wrapGrant<Settings>(probe: ProbeName, inner: NetQueueGrant, settings: Settings): ProbeGrant<Settings> {
  return { ...inner, module: MODULE, transport: { probe, inner, settings } }
}
