import { decodeStatus, type NvmeStatus } from './status-error.ts'

/** Log page identifiers: NVMe base specification 2.0, figure 202. */
export const LOG_ERROR = 0x01
export const LOG_SMART = 0x02
export const LOG_FIRMWARE = 0x03
export const LOG_CHANGED_NAMESPACES = 0x04

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
const u64 = (data: DataView, at: number): number =>
  data.getUint32(at + 4, true) * 0x1_0000_0000 + data.getUint32(at, true)

/** SMART / health information (figure 207). Counts of 16 bytes are rounded to doubles. */
export interface SmartLog {
  readonly criticalWarning: number
  readonly spareLow: boolean
  readonly temperatureOutside: boolean
  readonly reliabilityDegraded: boolean
  readonly readOnly: boolean
  readonly backupFailed: boolean
  /** Kelvin. */
  readonly temperature: number
  /** Per cent. */
  readonly availableSpare: number
  readonly spareThreshold: number
  readonly percentageUsed: number
  /** Thousands of 512-byte units, rounded up. */
  readonly dataUnitsRead: number
  readonly dataUnitsWritten: number
  readonly hostReads: number
  readonly hostWrites: number
  /** Minutes. */
  readonly busyTime: number
  readonly powerCycles: number
  readonly powerOnHours: number
  readonly unsafeShutdowns: number
  readonly mediaErrors: number
  readonly errorLogEntries: number
}

export const SMART_BYTES = 512

export function parseSmart(bytes: Uint8Array): SmartLog {
  const data = view(bytes)
  const u128 = (at: number) => u64(data, at + 8) * 2 ** 64 + u64(data, at)
  const warning = bytes[0]
  return {
    criticalWarning: warning,
    spareLow: (warning & 1) !== 0,
    temperatureOutside: (warning & 2) !== 0,
    reliabilityDegraded: (warning & 4) !== 0,
    readOnly: (warning & 8) !== 0,
    backupFailed: (warning & 16) !== 0,
    temperature: data.getUint16(1, true),
    availableSpare: bytes[3],
    spareThreshold: bytes[4],
    percentageUsed: bytes[5],
    dataUnitsRead: u128(32),
    dataUnitsWritten: u128(48),
    hostReads: u128(64),
    hostWrites: u128(80),
    busyTime: u128(96),
    powerCycles: u128(112),
    powerOnHours: u128(128),
    unsafeShutdowns: u128(144),
    mediaErrors: u128(160),
    errorLogEntries: u128(176),
  }
}

/** One entry of the error information log (figure 206), newest first. */
export interface ErrorLogEntry {
  /** Counts errors over the controller's life, from 1. */
  readonly count: number
  readonly queue: number
  readonly identifier: number
  readonly status: NvmeStatus
  /** Byte and bit of the command that was wrong; 0xffff when that is not told. */
  readonly parameterLocation: number
  readonly lba: number
  readonly namespace: number
}

export const ERROR_ENTRY_BYTES = 64

export function parseErrorLog(bytes: Uint8Array): ErrorLogEntry[] {
  const data = view(bytes)
  const entries: ErrorLogEntry[] = []
  for (let at = 0; at + ERROR_ENTRY_BYTES <= bytes.length; at += ERROR_ENTRY_BYTES) {
    const count = u64(data, at)
    if (count === 0) continue
    entries.push({
      count,
      queue: data.getUint16(at + 8, true),
      identifier: data.getUint16(at + 10, true),
      status: decodeStatus(data.getUint16(at + 12, true) >>> 1),
      parameterLocation: data.getUint16(at + 14, true),
      lba: u64(data, at + 16),
      namespace: data.getUint32(at + 24, true),
    })
  }
  return entries
}

/** Firmware slot information (figure 208). */
export interface FirmwareLog {
  readonly activeSlot: number
  /** Active after the next reset; 0: not told. */
  readonly nextSlot: number
  /** Revisions of slots 1 to 7; empty where there is none. */
  readonly revisions: readonly string[]
}

export const FIRMWARE_BYTES = 512

export function parseFirmware(bytes: Uint8Array): FirmwareLog {
  const revisions: string[] = []
  for (let slot = 0; slot < 7; slot++) {
    const from = 8 + 8 * slot
    revisions.push(
      String.fromCharCode(...bytes.subarray(from, from + 8))
        .replaceAll('\0', ' ')
        .trim(),
    )
  }
  return { activeSlot: bytes[0] & 7, nextSlot: (bytes[0] >>> 4) & 7, revisions }
}

/** Dword 0 of an asynchronous event (figure 145). */
export interface AsyncEvent {
  readonly type: 'error' | 'health' | 'notice' | 'immediate' | 'command-set' | 'vendor'
  readonly name: string
  readonly information: number
  /** The log page to read, which also re-arms the event. */
  readonly logPage: number
}

const EVENT_NAMES: Readonly<Record<string, readonly string[]>> = {
  error: [
    'Write to Invalid Doorbell Register',
    'Invalid Doorbell Write Value',
    'Diagnostic Failure',
    'Persistent Internal Error',
    'Transient Internal Error',
    'Firmware Image Load Error',
  ],
  health: ['NVM subsystem Reliability', 'Temperature Threshold', 'Spare Below Threshold'],
  notice: ['Namespace Attribute Changed', 'Firmware Activation Starting', 'Telemetry Log Changed'],
}

export function parseAsyncEvent(value: number): AsyncEvent {
  const kinds = ['error', 'health', 'notice', 'immediate', 'vendor', 'vendor', 'command-set', 'vendor'] as const
  const type = kinds[value & 7]
  const information = (value >>> 8) & 0xff
  return {
    type,
    information,
    logPage: (value >>> 16) & 0xff,
    name: EVENT_NAMES[type]?.[information] ?? `event 0x${information.toString(16)}`,
  }
}
