import { closeSync, openSync } from 'node:fs'
import { ParakernelError } from '@parakernel/hal'
import { E2BIG, EACCES, EBUSY, EINVAL, ENODEV, ENOENT, ENXIO, EPERM, systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { IFF_MULTI_QUEUE, IFF_NO_PI, IFF_TAP, IFF_TUN, IFF_VNET_HDR, VIRTIO_NET_HDR_BYTES } from './constants.ts'

const DEVICE = '/dev/net/tun'
const O_RDWR = 2
const O_NONBLOCK = 0o4000
const O_CLOEXEC = 0o2000000

const TUNSETIFF = 0x4004_54ca
const TUNSETPERSIST = 0x4004_54cb
const TUNSETOFFLOAD = 0x4004_54d0
const TUNSETVNETHDRSZ = 0x4004_54d8
const TUNSETVNETLE = 0x4004_54dc
const TUNSETSTEERINGEBPF = 0x8004_54e0
/** `struct ifreq`: the name, then the flags. */
const IFREQ_BYTES = 40
const NAME_BYTES = 16

export interface TunQueueOptions {
  readonly interface: string
  readonly multiQueue: boolean
  readonly kind?: 'tap' | 'tun'
}

/** Why TUN devices cannot be opened here; undefined when they can. Looks, creates nothing. */
export function tunMissing(): ParakernelError | undefined {
  try {
    closeSync(openSync(DEVICE, O_RDWR | O_CLOEXEC))
    return undefined
  } catch (cause) {
    return openError(-((cause as { errno?: number }).errno ?? -ENOENT), DEVICE)
  }
}

/**
 * Opens one queue of a TAP (or TUN) interface of this thread's network namespace, which is created if there is none of this
 * name: packets with a virtio-net header in little-endian order, not blocking. The caller closes the descriptor.
 * Throws EPERM, EBUSY, EINVAL, ENOTSUP.
 */
export function openTunQueue({ interface: name, multiQueue, kind = 'tap' }: TunQueueOptions): number {
  const descriptor = calls().open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC)
  if (descriptor < 0) throw openError(foreign().errno(), name)
  try {
    const request = new DataView(new ArrayBuffer(IFREQ_BYTES))
    new Uint8Array(request.buffer).set(new TextEncoder().encode(name).subarray(0, NAME_BYTES - 1))
    const type = kind === 'tap' ? IFF_TAP : IFF_TUN
    request.setUint16(NAME_BYTES, type | IFF_NO_PI | IFF_VNET_HDR | (multiQueue ? IFF_MULTI_QUEUE : 0), true)
    if (calls().ioctl(descriptor, TUNSETIFF, request) < 0) throw attachError(foreign().errno(), name)
    set(descriptor, TUNSETVNETHDRSZ, VIRTIO_NET_HDR_BYTES, name, 'TUNSETVNETHDRSZ')
    set(descriptor, TUNSETVNETLE, 1, name, 'TUNSETVNETLE')
    return descriptor
  } catch (error) {
    calls().close(descriptor)
    throw error
  }
}

/** Tells the kernel what the reader does itself (`TUN_F_*`), for all queues. False when it does not know one of them. */
export function setTunOffload(descriptor: number, offload: number, subject: string): boolean {
  if (calls().ioctl(descriptor, TUNSETOFFLOAD, byValue(offload)) === 0) return true
  const errno = foreign().errno()
  if (errno === EINVAL) return false
  throw systemError(errno, { call: 'ioctl(TUNSETOFFLOAD)', subject })
}

/** Whether the interface stays when its last descriptor is closed. */
export function setTunPersistent(descriptor: number, persistent: boolean, subject: string): void {
  if (calls().ioctl(descriptor, TUNSETPERSIST, byValue(persistent ? 1 : 0)) === 0) return
  throw systemError(foreign().errno(), { call: 'ioctl(TUNSETPERSIST)', subject })
}

/** A socket-filter program, by its descriptor, whose result is the number of the queue for a packet; -1 for the kernel's choice. */
export function setTunSteering(descriptor: number, program: number, subject: string): void {
  set(descriptor, TUNSETSTEERINGEBPF, program, subject, 'TUNSETSTEERINGEBPF')
}

/** For requests whose argument is a number in the place of a pointer. */
const byValue = (value: number) => (value === 0 ? null : BigInt(value))

function set(descriptor: number, request: number, value: number, subject: string, call: string): void {
  if (calls().ioctl(descriptor, request, Int32Array.of(value)) === 0) return
  throw systemError(foreign().errno(), { call: `ioctl(${call})`, subject })
}

function openError(errno: number, subject: string): ParakernelError {
  if (errno === EACCES || errno === EPERM) {
    return new ParakernelError('EACCES', `no permission to open ${DEVICE}`, {
      subject,
      remedy: `Run as root, or let this user read and write ${DEVICE}`,
    })
  }
  if (errno === ENOENT || errno === ENODEV || errno === ENXIO) {
    return new ParakernelError('ENOTSUP', 'this kernel has no TUN/TAP driver', {
      subject,
      remedy: 'Load it (modprobe tun), or use another backend',
    })
  }
  return systemError(errno, { call: `open(${DEVICE})`, subject })
}

function attachError(errno: number, subject: string): ParakernelError {
  const failed = { call: 'ioctl(TUNSETIFF)', subject }
  if (errno === EPERM) {
    return new ParakernelError('EPERM', 'no permission to create the interface, or to use one of another user', {
      subject,
      remedy: `Grant CAP_NET_ADMIN, or make it for this user: ip tuntap add ${subject} mode tap user $USER vnet_hdr`,
    })
  }
  if (errno === EBUSY || errno === E2BIG) {
    return new ParakernelError('EBUSY', 'another process has the interface', {
      subject,
      remedy: 'End that process, or use an interface of another name',
    })
  }
  if (errno === EINVAL) {
    return systemError(errno, {
      ...failed,
      remedy: 'Use the name of a TAP interface, or one that no interface has yet',
    })
  }
  return systemError(errno, failed)
}
