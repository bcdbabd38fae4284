/** A parsed script. Times are nanoseconds, sequence numbers relative to the first one of their flow and direction. */
export interface Script {
  readonly file: string
  readonly settings: Settings
  readonly events: readonly Event[]
}

export type Family = 4 | 6
export type SubjectKind = 'ours' | 'linux'
export const SUBJECTS: readonly SubjectKind[] = ['ours', 'linux']

/** Of an option of our libOS. */
export type OptionValue = string | number | boolean

/** What stands before the first event. */
export interface Settings {
  /** The rule that is checked, with its section: `RFC 9293 section 3.5: ...`. */
  readonly rule: string
  readonly families: readonly Family[]
  readonly mtu: number
  readonly flows: ReadonlyMap<number, FlowSettings>
  /** Of the kernel's own namespace. */
  readonly sysctls: readonly (readonly [name: string, value: string])[]
  /** Options of our libOS. */
  readonly options: Readonly<Record<string, OptionValue>>
  /** The only subject that it applies to, with the reason. */
  readonly only: { readonly subject: SubjectKind; readonly reason: string } | undefined
  /** Why lines differ by subject; one at least where some do. */
  readonly differences: readonly string[]
}

/** One pair of end points. The subject's port is learnt from the first packet where nobody says it. */
export interface FlowSettings {
  readonly local: number | undefined
  readonly remote: number
  /** Initial sequence number of the remote end. */
  readonly isn: number
}

export interface Event {
  /** Where it stands: in the script, or in what that includes. */
  readonly file: string
  readonly line: number
  readonly text: string
  /** Undefined: of both. */
  readonly subject: SubjectKind | undefined
  readonly time: Time
  readonly action: Action
}

/**
 * When something happens, or may at the earliest and latest. `relative`: counted from the event before it. An `any` time is
 * not before the event before it.
 */
export type Time =
  | { readonly kind: 'relative' | 'absolute'; readonly from: number; readonly to: number }
  | { readonly kind: 'any' }

export type Action =
  | { readonly kind: 'inject'; readonly packet: PacketSpec }
  | { readonly kind: 'expect'; readonly packet: PacketSpec; readonly optional: boolean }
  | { readonly kind: 'call'; readonly call: CallSpec }
  | { readonly kind: 'state'; readonly flow: number; readonly state: string }
  | { readonly kind: 'silent' }

/** An inclusive range. */
export interface Range {
  readonly min: number
  readonly max: number
}

/** What a packet says about its IP header and about its way. Absent: the usual when injected, anything when expected. */
export interface IpSpec {
  readonly ecn?: 'notect' | 'ect0' | 'ect1' | 'ce'
  readonly ttl?: number
  readonly df?: boolean
  /** Bytes of the IP payload that this fragment has; the last one has no more after it. */
  readonly fragment?: Range
  readonly badChecksum?: boolean
  readonly noChecksum?: boolean
  /** Ports in place of the flow's. */
  readonly from?: number
  readonly to?: number
}

export type PacketSpec = { readonly flow: number; readonly ip: IpSpec } & (TcpSpec | UdpSpec | IcmpSpec | RawSpec)

export interface TcpSpec {
  readonly kind: 'tcp'
  /** In the order `SFRPUEW.`; undefined: any. */
  readonly flags: string | undefined
  /** Relative; 'new': the first of a new connection; undefined: any, of any length. */
  readonly start: number | 'new' | undefined
  /** Bytes of data. */
  readonly length: number
  /** Undefined: any (expected), 0 (injected). */
  readonly ack: number | undefined
  readonly window: Range | undefined
  readonly urgent: number | undefined
  /** In 32-bit words, where a header shall lie about it. */
  readonly dataOffset: number | undefined
  readonly options: readonly OptionSpec[] | undefined
  /** Options beside those listed may be there. */
  readonly moreOptions: boolean
}

export type OptionSpec =
  | { readonly kind: 'mss'; readonly value: number | 'path' | undefined }
  | { readonly kind: 'sackOK' | 'nop' | 'eol' }
  | { readonly kind: 'wscale'; readonly value: number | undefined }
  | { readonly kind: 'TS'; readonly value: Range | undefined; readonly echo: number | 'last' | undefined }
  | { readonly kind: 'sack'; readonly blocks: readonly Range[] }
  | { readonly kind: 'uto'; readonly value: number }
  /** Any other, by number, with so many bytes after kind and length. */
  | { readonly kind: 'option'; readonly number: number; readonly length: number }

export interface UdpSpec {
  readonly kind: 'udp'
  readonly length: number
  /** The length field, where it shall lie. */
  readonly lengthField: number | undefined
}

export interface IcmpSpec {
  readonly kind: 'icmp'
  readonly message: string
  readonly mtu: number | undefined
  /** Bytes of an echo's data. */
  readonly length: number
  /** Sequence number of the TCP segment that an injected error quotes; undefined: the last packet of the flow. */
  readonly quote: number | undefined
}

export interface RawSpec {
  readonly kind: 'ip'
  readonly protocol: number
  readonly length: number
}

export interface CallSpec {
  readonly verb: string
  /** The name that the result gets. */
  readonly result: string | undefined
  readonly arguments: readonly string[]
  readonly outcome: OutcomeSpec
  /** How long after the call it is to complete; undefined: at once. */
  readonly after: Range | undefined
}

export type OutcomeSpec =
  | { readonly kind: 'done' }
  | { readonly kind: 'bytes'; readonly bytes: number }
  | { readonly kind: 'eof' }
  | { readonly kind: 'pending' }
  | { readonly kind: 'error'; readonly code: string }
