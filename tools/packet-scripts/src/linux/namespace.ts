import { closeSync, constants, openSync, writeFileSync } from 'node:fs'
import { calls } from '@parakernel/linux'
import { ADDRESSES, addressBytes } from '../run/subject.ts'
import { viewOf } from '../wire/bytes.ts'
import { must, testCalls } from './system-calls.ts'

const CLONE_NEWNET = 0x4000_0000
const THREAD_NAMESPACE = '/proc/thread-self/ns/net'

/**
 * A network namespace without a name: it is gone when its last descriptor is closed, and so at the end of the process
 * whatever happens, with everything in it.
 */
export class Namespace {
  readonly #descriptor: number
  readonly #home: number

  constructor() {
    this.#home = openSync(THREAD_NAMESPACE, 'r')
    must(testCalls().unshare(CLONE_NEWNET), 'unshare')
    this.#descriptor = openSync(THREAD_NAMESPACE, 'r')
    must(calls().setns(this.#home, CLONE_NEWNET), 'setns')
  }

  /** Runs `body`, which is synchronous, with the thread in the namespace. */
  inside<T>(body: () => T): T {
    must(calls().setns(this.#descriptor, CLONE_NEWNET), 'setns')
    try {
      return body()
    } finally {
      must(calls().setns(this.#home, CLONE_NEWNET), 'setns')
    }
  }

  close(): void {
    closeSync(this.#descriptor)
    closeSync(this.#home)
  }
}

export function writeSysctl(name: string, value: string): void {
  writeFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, value)
}

const TUNSETIFF = 0x4004_54ca
const IFF_TUN = 0x0001
const IFF_NO_PI = 0x1000
const SIOCSIFFLAGS = 0x8914
const SIOCSIFADDR = 0x8916
const SIOCSIFNETMASK = 0x891c
const SIOCSIFMTU = 0x8922
const SIOCGIFINDEX = 0x8933
const IFF_UP = 1
const AF_INET = 2
const AF_INET6 = 10
const SOCK_DGRAM_CLOEXEC = 0o2000002
const DEVICE = 'pk-ps'

/**
 * A TUN device in the namespace that the thread is in, with the subject's addresses: IP packets without a link layer, in both
 * directions through the descriptor that is returned. Nothing but the scripts shall be heard on it.
 */
export function openTun(mtu: number): number {
  for (const [name, value] of [
    ['net.ipv6.conf.default.addr_gen_mode', '1'],
    ['net.ipv6.conf.default.accept_dad', '0'],
    ['net.ipv6.conf.default.router_solicitations', '0'],
  ]) {
    writeSysctl(name, value)
  }
  const tun = openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK)
  ioctl(
    tun,
    TUNSETIFF,
    request(DEVICE, (view) => view.setInt16(16, IFF_TUN | IFF_NO_PI, true)),
  )
  const four = must(calls().socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0), 'socket')
  const six = must(calls().socket(AF_INET6, SOCK_DGRAM_CLOEXEC, 0), 'socket')
  try {
    const internet = (bytes: readonly number[]) => (view: DataView) => {
      view.setUint16(16, AF_INET, true)
      for (const [i, byte] of bytes.entries()) view.setUint8(20 + i, byte)
    }
    const up = (view: DataView) => view.setInt16(16, IFF_UP, true)
    ioctl(four, SIOCSIFFLAGS, request('lo', up))
    ioctl(
      four,
      SIOCSIFMTU,
      request(DEVICE, (view) => view.setInt32(16, mtu, true)),
    )
    ioctl(four, SIOCSIFADDR, request(DEVICE, internet([...addressBytes(ADDRESSES[4].local)])))
    ioctl(four, SIOCSIFNETMASK, request(DEVICE, internet([255, 255, 255, 0])))
    ioctl(four, SIOCSIFFLAGS, request(DEVICE, up))
    if (mtu >= 1280) {
      const index = request(DEVICE, () => {})
      ioctl(four, SIOCGIFINDEX, index)
      // struct in6_ifreq: address, prefix length, interface.
      const address = new Uint8Array(24)
      address.set(addressBytes(ADDRESSES[6].local))
      viewOf(address).setUint32(16, 64, true)
      viewOf(address).setInt32(20, viewOf(index).getInt32(16, true), true)
      ioctl(six, SIOCSIFADDR, address)
    }
  } finally {
    calls().close(four)
    calls().close(six)
  }
  return tun
}

/** struct ifreq: a name of 16 bytes, then what the request is about. */
function request(name: string, fill: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(40)
  bytes.set(new TextEncoder().encode(name))
  fill(viewOf(bytes))
  return bytes
}

function ioctl(descriptor: number, number: number, argument: Uint8Array): void {
  must(calls().ioctl(descriptor, number, argument), `ioctl 0x${number.toString(16)}`)
}
