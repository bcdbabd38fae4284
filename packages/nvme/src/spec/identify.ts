/** Offsets: NVMe base specification 2.0, figures 275 (controller), 280 (namespace); NVM command set specification 1.0, figure 97. */

export interface ControllerIdentity {
  readonly vendor: number
  readonly serial: string
  readonly model: string
  readonly firmware: string
  readonly controllerId: number
  /** Most bytes of a transfer; 0: no limit. */
  readonly maxTransfer: number
  readonly commands: OptionalCommands
  /** Writes may be lost until a flush. */
  readonly volatileCache: boolean
  /** A flush of all namespaces at once is taken. */
  readonly flushAll: boolean
  /** Blocks written whole or not at all, in the namespace with the largest blocks: without power failure (AWUN), and with (AWUPF). */
  readonly atomicUnit: number
  readonly atomicUnitPowerFail: number
  /** Data pointers may be SGLs; 2: with dword alignment. */
  readonly sgl: 0 | 1 | 2
  readonly abortLimit: number
  readonly eventRequestLimit: number
  /** Optional asynchronous events (OAES). */
  readonly optionalEvents: number
  readonly namespaces: number
  readonly errorLogEntries: number
  readonly firmwareSlots: number
  /** Kelvin; 0: not told. */
  readonly warningTemperature: number
  readonly criticalTemperature: number
  readonly subsystemName: string
}

export interface OptionalCommands {
  readonly compare: boolean
  readonly writeUncorrectable: boolean
  readonly deallocate: boolean
  readonly writeZeroes: boolean
}

const text = (bytes: Uint8Array, from: number, to: number): string => {
  let end = to
  while (end > from && (bytes[end - 1] === 0x20 || bytes[end - 1] === 0)) end--
  return String.fromCharCode(...bytes.subarray(from, end)).replaceAll(/[^\x20-\x7e]/g, '?')
}
const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
const u64 = (data: DataView, at: number): number =>
  data.getUint32(at + 4, true) * 0x1_0000_0000 + data.getUint32(at, true)

/** @param minPage of CAP.MPSMIN, in whose units MDTS counts */
export function parseController(bytes: Uint8Array, minPage: number): ControllerIdentity {
  const data = view(bytes)
  const oncs = data.getUint16(520, true)
  const sgls = data.getUint32(536, true) & 3
  return {
    vendor: data.getUint16(0, true),
    serial: text(bytes, 4, 24),
    model: text(bytes, 24, 64),
    firmware: text(bytes, 64, 72),
    maxTransfer: bytes[77] === 0 ? 0 : minPage * 2 ** bytes[77],
    controllerId: data.getUint16(78, true),
    optionalEvents: data.getUint32(92, true),
    abortLimit: bytes[258] + 1,
    eventRequestLimit: bytes[259] + 1,
    firmwareSlots: (bytes[260] >>> 1) & 7,
    errorLogEntries: bytes[262] + 1,
    warningTemperature: data.getUint16(266, true),
    criticalTemperature: data.getUint16(268, true),
    namespaces: data.getUint32(516, true),
    commands: {
      compare: (oncs & 1) !== 0,
      writeUncorrectable: (oncs & 2) !== 0,
      deallocate: (oncs & 4) !== 0,
      writeZeroes: (oncs & 8) !== 0,
    },
    volatileCache: (bytes[525] & 1) !== 0,
    flushAll: ((bytes[525] >>> 1) & 3) === 3,
    atomicUnit: data.getUint16(526, true) + 1,
    atomicUnitPowerFail: data.getUint16(528, true) + 1,
    sgl: sgls === 1 || sgls === 2 ? sgls : 0,
    subsystemName: text(bytes, 768, 1024),
  }
}

/** Limits of commands that move no data through the host. 0: none told. */
export interface CommandSetLimits {
  /** Bytes of a write zeroes. */
  readonly writeZeroes: number
  /** Ranges of a dataset management, and blocks of one range. */
  readonly ranges: number
  readonly rangeBlocks: number
}

export const NO_LIMITS: CommandSetLimits = { writeZeroes: 0, ranges: 0, rangeBlocks: 0 }

/** Of CNS 06h for the NVM command set. */
export function parseCommandSetLimits(bytes: Uint8Array, minPage: number): CommandSetLimits {
  return {
    writeZeroes: bytes[1] === 0 ? 0 : minPage * 2 ** bytes[1],
    ranges: bytes[3],
    rangeBlocks: view(bytes).getUint32(4, true),
  }
}

export interface NamespaceIdentity {
  readonly namespace: number
  /** Logical blocks: size, what may be allocated at once, and what is. */
  readonly blocks: number
  readonly capacity: number
  readonly used: number
  readonly blockSize: number
  /** Bytes of metadata a block; more than 0 is not supported. */
  readonly metadata: number
  /** Protection information is on. */
  readonly protection: boolean
  readonly readOnly: boolean
  /** Blocks that survive a power failure whole, with the namespace's own value where it has one. */
  readonly atomicUnitPowerFail: number
  /** Blocks; 0: none. */
  readonly atomicBoundaryPowerFail: number
  /** Blocks before the first boundary. */
  readonly atomicOffset: number
  /** What deallocated blocks read as: zeroes, ones, or not told. */
  readonly deallocated: 'zeroes' | 'ones' | 'unknown'
  readonly uuid?: string
  readonly eui64?: string
  readonly nguid?: string
  /** Command set: 0 NVM, 1 key-value, 2 zoned. */
  readonly commandSet: number
}

/** @param controllerAtomicUnit AWUPF + 1, for namespaces that do not say */
export function parseNamespace(
  bytes: Uint8Array,
  namespace: number,
  controllerAtomicUnit: number,
  descriptors: NamespaceDescriptors,
): NamespaceIdentity {
  const data = view(bytes)
  const flbas = bytes[26]
  // Bits 6:5 are the upper half of the index where there are more than sixteen formats.
  const format = data.getUint32(128 + 4 * ((flbas & 0xf) | (bytes[25] > 15 ? (flbas & 0x60) >>> 1 : 0)), true)
  const ownAtomicity = (bytes[24] & 2) !== 0
  const boundary = ownAtomicity ? data.getUint16(44, true) : 0
  const unit = data.getUint16(36, true)
  return {
    namespace,
    blocks: u64(data, 0),
    capacity: u64(data, 8),
    used: u64(data, 16),
    blockSize: 2 ** ((format >>> 16) & 0xff),
    metadata: format & 0xffff,
    protection: (bytes[29] & 7) !== 0,
    readOnly: (bytes[99] & 1) !== 0,
    atomicUnitPowerFail: ownAtomicity ? unit + 1 : controllerAtomicUnit,
    atomicBoundaryPowerFail: boundary === 0 ? 0 : boundary + 1,
    atomicOffset: ownAtomicity ? data.getUint16(42, true) : 0,
    deallocated: (['unknown', 'zeroes', 'ones'] as const)[bytes[33] & 7] ?? 'unknown',
    ...descriptors,
  }
}

export interface NamespaceDescriptors {
  readonly uuid?: string
  readonly eui64?: string
  readonly nguid?: string
  readonly commandSet: number
}

/** The list of CNS 03h: type, length, identifier; a length of 0 ends it. */
export function parseDescriptors(bytes: Uint8Array): NamespaceDescriptors {
  const found: { uuid?: string; eui64?: string; nguid?: string; commandSet: number } = { commandSet: 0 }
  for (let at = 0; at + 4 <= bytes.length && bytes[at + 1] !== 0; at += 4 + bytes[at + 1]) {
    const value = bytes.subarray(at + 4, at + 4 + bytes[at + 1])
    const hex = Buffer.from(value).toString('hex')
    if (bytes[at] === 1) found.eui64 = hex
    else if (bytes[at] === 2) found.nguid = hex
    else if (bytes[at] === 3) found.uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    else if (bytes[at] === 4) found.commandSet = value[0]
  }
  return found
}

/** Namespace numbers of CNS 02h or of the changed namespace log; 0 ends the list. */
export function parseNamespaceList(bytes: Uint8Array): number[] {
  const data = view(bytes)
  const list: number[] = []
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const namespace = data.getUint32(at, true)
    if (namespace === 0) break
    list.push(namespace)
  }
  return list
}
