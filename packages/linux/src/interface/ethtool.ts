import { check, EOPNOTSUPP, systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { AF_INET, SOCK_CLOEXEC, SOCK_DGRAM } from '../socket-constants.ts'

// linux/sockios.h, linux/ethtool.h
const SIOCETHTOOL = 0x8946
const ETHTOOL_GDRVINFO = 0x03
const ETHTOOL_STXCSUM = 0x17
const ETHTOOL_GTXCSUM = 0x16
const ETHTOOL_GCHANNELS = 0x3c
/** `struct ifreq`: name at 0, pointer to the ethtool command at 16. */
const IFREQ_BYTES = 40

/** Runs one ethtool command in place on `interfaceName`. Returns 0 or the errno. */
function ethtool(interfaceName: string, command: Uint32Array): number {
  const subject = interfaceName
  const descriptor = check(calls().socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), { call: 'socket(AF_INET)', subject })
  try {
    const request = new DataView(new ArrayBuffer(IFREQ_BYTES))
    new Uint8Array(request.buffer).set(new TextEncoder().encode(interfaceName).subarray(0, 15))
    request.setBigUint64(16, BigInt(foreign().addressOf(command)), true)
    return calls().ioctl(descriptor, SIOCETHTOOL, request) < 0 ? foreign().errno() : 0
  } finally {
    calls().close(descriptor)
  }
}

export interface ChannelCounts {
  readonly rx: number
  readonly tx: number
}

/** Queues in use; undefined when the driver does not tell (it then uses all that were allocated). */
export function channelCounts(interfaceName: string): ChannelCounts | undefined {
  // struct ethtool_channels: cmd, max rx/tx/other/combined, then the counts in the same order.
  const command = new Uint32Array(9)
  command[0] = ETHTOOL_GCHANNELS
  const errno = ethtool(interfaceName, command)
  if (errno === EOPNOTSUPP) return undefined
  if (errno !== 0) throw systemError(errno, { call: 'ioctl(ETHTOOL_GCHANNELS)', subject: interfaceName })
  const combined = command[8]
  return { rx: command[5] + combined, tx: command[6] + combined }
}

/** `struct ethtool_drvinfo`: the command, the driver's name, and more. */
const DRIVER_NAME_BYTES = 32
const DRIVER_INFO_BYTES = 196

/** Name of an interface's driver, as `veth` or `ixgbe`; undefined for one that does not tell. */
export function driverName(interfaceName: string): string | undefined {
  const command = new Uint32Array(DRIVER_INFO_BYTES / 4)
  command[0] = ETHTOOL_GDRVINFO
  const errno = ethtool(interfaceName, command)
  if (errno === EOPNOTSUPP) return undefined
  if (errno !== 0) throw systemError(errno, { call: 'ioctl(ETHTOOL_GDRVINFO)', subject: interfaceName })
  const name = new TextDecoder().decode(new Uint8Array(command.buffer, 4, DRIVER_NAME_BYTES))
  return name.slice(0, name.indexOf('\0')) || undefined
}

/** Switches the transmit checksum offload, as `ethtool -K NAME tx on|off` does. */
export function setTxChecksumOffload(interfaceName: string, on: boolean): void {
  const errno = ethtool(interfaceName, Uint32Array.of(ETHTOOL_STXCSUM, on ? 1 : 0))
  if (errno !== 0) throw systemError(errno, { call: 'ioctl(ETHTOOL_STXCSUM)', subject: interfaceName })
}

export function txChecksumOffload(interfaceName: string): boolean {
  const command = Uint32Array.of(ETHTOOL_GTXCSUM, 0)
  const errno = ethtool(interfaceName, command)
  if (errno !== 0) throw systemError(errno, { call: 'ioctl(ETHTOOL_GTXCSUM)', subject: interfaceName })
  return command[1] === 1
}
