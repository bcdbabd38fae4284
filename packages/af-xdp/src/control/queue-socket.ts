import { type FrameWindow, ParakernelError } from '@parakernel/hal'
import {
  AF_XDP,
  calls,
  decodeRingOffsets,
  EACCES,
  EAFNOSUPPORT,
  EBUSY,
  EINVAL,
  ENETDOWN,
  ENOBUFS,
  ENODEV,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  encodeUmemRegistration,
  encodeXdpAddress,
  foreign,
  type Mapping,
  mapDescriptor,
  type RingOffsets,
  regionAddress,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_SOCKET,
  SOL_XDP,
  systemError,
  XDP_ADDRESS_BYTES,
  XDP_COPY,
  XDP_DESCRIPTOR_BYTES,
  XDP_MAX_TX_SKB_BUDGET,
  XDP_MMAP_OFFSETS,
  XDP_PACKET_HEADROOM,
  XDP_PGOFF_RX_RING,
  XDP_PGOFF_TX_RING,
  XDP_RING_OFFSETS_BYTES,
  XDP_RX_RING,
  XDP_TX_RING,
  XDP_UMEM_COMPLETION_RING,
  XDP_UMEM_FILL_RING,
  XDP_UMEM_PGOFF_COMPLETION_RING,
  XDP_UMEM_PGOFF_FILL_RING,
  XDP_UMEM_REG,
  XDP_USE_NEED_WAKEUP,
  XDP_ZEROCOPY,
} from '@parakernel/linux'
import type { TransmitChecksum } from '../options.ts'
import type { MappedRing } from '../transport.ts'
import { UMEM_METADATA } from './transmit-metadata.ts'

export interface QueueSocketOptions {
  readonly interfaceName: string
  readonly interfaceIndex: number
  readonly queue: number
  readonly window: FrameWindow
  readonly ringSize: number
  readonly zeroCopy: boolean
  readonly transmitChecksum: TransmitChecksum
}

export interface QueueSocket {
  readonly descriptor: number
  readonly rx: MappedRing
  readonly tx: MappedRing
  readonly fill: MappedRing
  readonly completion: MappedRing
  /** For a holder that has let go: see `retire` for the other case. */
  unmap(): void
}

/** In copy mode each frame under way is an skb that is charged to the socket, with about 1 KiB on top of its bytes. */
const SEND_BUFFER_BYTES = 16 << 20

/**
 * Opens a socket on one queue: registers the window as its UMEM, makes and maps the four rings, binds. Throws typed errors
 * that name the queue and the remedy; everything that was opened is closed again then.
 */
export function openQueueSocket(options: QueueSocketOptions): QueueSocket {
  const { interfaceName, interfaceIndex, queue, window, ringSize, zeroCopy, transmitChecksum } = options
  const subject = `${interfaceName} queue ${queue}`
  const descriptor = calls().socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0)
  if (descriptor < 0) throw socketError(foreign().errno(), subject)

  const mappings: Mapping[] = []
  try {
    const option = (name: number, value: Uint8Array | Uint32Array) =>
      calls().setsockopt(descriptor, SOL_XDP, name, value, value.byteLength) < 0 ? foreign().errno() : 0
    const required = (call: string, name: number, value: Uint32Array) => {
      const errno = option(name, value)
      if (errno !== 0) throw systemError(errno, { call: `setsockopt(${call})`, subject })
    }

    const bytes = window.frameSize * window.frameCount
    const umem = encodeUmemRegistration({
      address: regionAddress(window.region) + window.byteOffset,
      byteLength: bytes,
      chunkSize: window.frameSize,
      headroom: window.headroom - XDP_PACKET_HEADROOM,
      ...UMEM_METADATA[transmitChecksum],
    })
    const errno = option(XDP_UMEM_REG, umem)
    if (errno !== 0) throw umemError(errno, subject, bytes)

    const size = Uint32Array.of(ringSize)
    required('XDP_UMEM_FILL_RING', XDP_UMEM_FILL_RING, size)
    required('XDP_UMEM_COMPLETION_RING', XDP_UMEM_COMPLETION_RING, size)
    required('XDP_RX_RING', XDP_RX_RING, size)
    required('XDP_TX_RING', XDP_TX_RING, size)
    // Both only save system calls and retries, and older kernels lack the first: failure is fine.
    option(XDP_MAX_TX_SKB_BUDGET, size)
    calls().setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, Uint32Array.of(SEND_BUFFER_BYTES), 4)

    const rings = mapSocketRings(descriptor, ringSize, subject, mappings)

    const flags = XDP_USE_NEED_WAKEUP | (zeroCopy ? XDP_ZEROCOPY : XDP_COPY)
    if (calls().bind(descriptor, encodeXdpAddress(interfaceIndex, queue, flags), 16) < 0) {
      throw bindError(foreign().errno(), subject, interfaceName)
    }
    return {
      descriptor,
      ...rings,
      unmap: () => {
        for (const mapping of mappings) mapping.unmap()
      },
    }
  } catch (error) {
    for (const mapping of mappings) mapping.unmap()
    calls().close(descriptor)
    throw error
  }
}

/**
 * Maps the four rings of a socket in this process, whoever made it, and adds the mappings to a list.
 * @throws EBADF, ENOTSUP, EINVAL for a descriptor that is no such socket
 */
export function mapSocketRings(
  descriptor: number,
  ringSize: number,
  subject: string,
  mappings: Mapping[],
): Pick<QueueSocket, 'rx' | 'tx' | 'fill' | 'completion'> {
  const offsets = ringOffsets(descriptor, subject)
  const map = (at: RingOffsets, page: number, entryBytes: number): MappedRing => {
    const mapping = mapDescriptor(descriptor, page, at.entries + ringSize * entryBytes, `${subject} ring`)
    mappings.push(mapping)
    return { address: mapping.address, length: mapping.length, ...at }
  }
  return {
    rx: map(offsets.rx, XDP_PGOFF_RX_RING, XDP_DESCRIPTOR_BYTES),
    tx: map(offsets.tx, XDP_PGOFF_TX_RING, XDP_DESCRIPTOR_BYTES),
    fill: map(offsets.fill, XDP_UMEM_PGOFF_FILL_RING, XDP_ADDRESS_BYTES),
    completion: map(offsets.completion, XDP_UMEM_PGOFF_COMPLETION_RING, XDP_ADDRESS_BYTES),
  }
}

function ringOffsets(descriptor: number, subject: string) {
  const bytes = new Uint8Array(XDP_RING_OFFSETS_BYTES)
  const length = new Uint32Array([bytes.length])
  if (calls().getsockopt(descriptor, SOL_XDP, XDP_MMAP_OFFSETS, bytes, length) < 0) {
    throw systemError(foreign().errno(), { call: 'getsockopt(XDP_MMAP_OFFSETS)', subject })
  }
  if (length[0] !== bytes.length) {
    throw new ParakernelError('ENOTSUP', 'the kernel is too old: its rings have no flags word', {
      subject,
      remedy: 'Use Linux 5.4 or newer',
    })
  }
  return decodeRingOffsets(bytes)
}

/** What socket(AF_XDP) failing means. */
export function socketError(errno: number, subject: string): ParakernelError {
  if (errno === EAFNOSUPPORT) {
    return new ParakernelError('ENOTSUP', 'this kernel has no XDP sockets', {
      subject,
      remedy: 'Use a kernel built with CONFIG_XDP_SOCKETS, or another backend',
    })
  }
  if (errno === EPERM || errno === EACCES) {
    return new ParakernelError('EPERM', 'no permission to open an XDP socket', {
      subject,
      remedy: 'Run as root, or grant CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF',
    })
  }
  return systemError(errno, { call: 'socket(AF_XDP)', subject })
}

function umemError(errno: number, subject: string, bytes: number): ParakernelError {
  const failed = { call: 'setsockopt(XDP_UMEM_REG)', subject }
  if (errno === ENOBUFS) {
    return new ParakernelError('ENOMEM', `${bytes} bytes of frames exceed the limit of locked memory`, {
      subject,
      remedy: `Grant CAP_IPC_LOCK, raise the limit (ulimit -l ${Math.ceil(bytes / 1024)}), or use fewer frames`,
    })
  }
  if (errno === EINVAL) {
    return systemError(errno, { ...failed, remedy: 'Use frames of 2048 or 4096 bytes that start on a page' })
  }
  return systemError(errno, failed)
}

function bindError(errno: number, subject: string, interfaceName: string): ParakernelError {
  if (errno === EBUSY) {
    return new ParakernelError('EBUSY', 'the queue has an owner', {
      subject,
      remedy: 'Take another queue, or end the process that has an XDP socket on this one',
    })
  }
  if (errno === EOPNOTSUPP) {
    return new ParakernelError('ENOTSUP', 'the driver has no zero-copy mode', {
      subject,
      remedy: 'Set zeroCopy to false',
    })
  }
  if (errno === ENETDOWN) {
    return new ParakernelError('ENETDOWN', 'the interface is down', {
      subject,
      remedy: `Bring it up: ip link set ${interfaceName} up`,
    })
  }
  if (errno === ENODEV || errno === ENXIO) {
    return new ParakernelError('ENODEV', 'the interface is gone', { subject })
  }
  if (errno === EINVAL) {
    return systemError(errno, {
      call: 'bind(AF_XDP)',
      subject,
      remedy: 'Open the device again: the interface has fewer queues now, or is in another network namespace',
    })
  }
  return systemError(errno, { call: 'bind(AF_XDP)', subject })
}
