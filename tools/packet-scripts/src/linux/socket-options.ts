import { CallError } from '../run/subject.ts'

const SOL_SOCKET = 1
const IPPROTO_IP = 0
const IPPROTO_TCP = 6
const IPPROTO_IPV6 = 41

interface KernelOption {
  readonly level: number
  readonly name: number
  /** The script's value as the kernel's, and back. */
  readonly encode: (value: string) => Uint8Array
  readonly decode: (bytes: Uint8Array) => string
}

function int(level: number, name: number, scale = 1): KernelOption {
  return {
    level,
    name,
    encode: (value) => integer(Math.ceil(Number(value) * scale)),
    decode: (bytes) => String(readInteger(bytes) / scale),
  }
}

function flag(level: number, name: number): KernelOption {
  return {
    level,
    name,
    encode: (value) => integer(value === 'true' ? 1 : 0),
    decode: (bytes) => String(readInteger(bytes) !== 0),
  }
}

/** Our names of the algorithms, where the kernel's differ. */
const ALGORITHMS: Readonly<Record<string, string>> = { newreno: 'reno' }

/** The options of the network libOS's sockets as the kernel has them; its times are in seconds. */
const OPTIONS: Readonly<Record<string, KernelOption>> = {
  noDelay: flag(IPPROTO_TCP, 1),
  maximumSegment: int(IPPROTO_TCP, 2),
  keepAliveIdle: int(IPPROTO_TCP, 4, 1e-3),
  keepAliveInterval: int(IPPROTO_TCP, 5, 1e-3),
  keepAliveProbes: int(IPPROTO_TCP, 6),
  userTimeout: int(IPPROTO_TCP, 18),
  notSentLowWater: int(IPPROTO_TCP, 25),
  keepAlive: flag(SOL_SOCKET, 9),
  // The kernel doubles what it is told, for its own overhead.
  sendBuffer: int(SOL_SOCKET, 7),
  receiveBuffer: int(SOL_SOCKET, 8),
  ttl: int(IPPROTO_IP, 2),
  ipv6Only: flag(IPPROTO_IPV6, 26),
  linger: {
    level: SOL_SOCKET,
    name: 13,
    encode: (value) =>
      Uint8Array.of(...integer(Number(value) < 0 ? 0 : 1), ...integer(Math.max(Number(value), 0) / 1000)),
    decode: (bytes) => String(readInteger(bytes) === 0 ? -1 : readInteger(bytes.subarray(4)) * 1000),
  },
  congestionControl: {
    level: IPPROTO_TCP,
    name: 13,
    encode: (value) => new TextEncoder().encode(ALGORITHMS[value] ?? value),
    decode: (bytes) => {
      const name = new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)))
      return Object.keys(ALGORITHMS).find((ours) => ALGORITHMS[ours] === name) ?? name
    },
  },
}

export function kernelOption(name: string): KernelOption {
  const option = OPTIONS[name]
  if (option === undefined) throw new CallError('ENOPROTOOPT', `the kernel side has no option ${name}`)
  return option
}

function integer(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer)
}

function readInteger(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true)
}
