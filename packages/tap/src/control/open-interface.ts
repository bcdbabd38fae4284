import { ParakernelError } from '@parakernel/hal'
import {
  addLinkAddress,
  calls,
  inNamespace,
  type LinkSettings,
  type LinkState,
  openTunQueue,
  queryLink,
  setLink,
  setTunOffload,
  setTunPersistent,
  TUN_F_USO4,
  TUN_F_USO6,
} from '@parakernel/linux'
import { DEFAULT_RING_SIZE, type TapOptions } from '../options.ts'
import { OFFLOAD_BITS } from './capabilities.ts'
import { busy, checkInterface } from './check-options.ts'

export interface OpenedInterface {
  /** One descriptor a queue; an interface that is not persistent is gone when the last is closed. */
  readonly descriptors: readonly number[]
  readonly link: LinkState
  /** The kernel knows super-frames of UDP. */
  readonly segmentsUdp: boolean
}

const UDP_BITS = TUN_F_USO4 | TUN_F_USO6

/** Runs `body` in the namespace of the options. */
export function inside<T>({ namespace }: TapOptions, body: () => T): T {
  return namespace === undefined ? body() : inNamespace(namespace, body)
}

/**
 * Attaches to every queue of the interface, creating it if there is none, and sets it up. Runs in the interface's namespace.
 * Throws ENODEV, EBUSY, EINVAL, EPERM, EACCES, ENOTSUP; what was opened is closed again then.
 */
export function openInterface(options: TapOptions): OpenedInterface {
  const { interface: name, create = true, queues = 1, persistent = false, offloads = 'tcp' } = options
  const before = existing(name, create)
  if (before !== undefined) checkInterface(before, queues)
  const multiQueue = before?.tun?.multiQueue ?? queues > 1
  const descriptors: number[] = []
  try {
    for (let i = 0; i < queues; i++) descriptors.push(openTunQueue({ interface: name, multiQueue }))
    const link = queryLink(name)
    // Somebody may have come in between; an interface for one queue refuses that by itself.
    if ((link.tun?.queues ?? queues) !== queues) throw busy(name)
    const [first] = descriptors
    const wanted = OFFLOAD_BITS[offloads]
    const segmentsUdp = setTunOffload(first, wanted | UDP_BITS, name)
    if (segmentsUdp) setTunOffload(first, wanted, name)
    else if (!setTunOffload(first, wanted & ~UDP_BITS, name)) {
      throw new ParakernelError('ENOTSUP', `the kernel does not know the offloads "${offloads}"`, {
        subject: name,
        remedy: "Set offloads to 'none'",
      })
    }
    if (persistent) setTunPersistent(first, true, name)
    configure(link, options, before === undefined)
    return { descriptors, link: queryLink(name), segmentsUdp }
  } catch (error) {
    for (const descriptor of descriptors) calls().close(descriptor)
    throw error
  }
}

function existing(name: string, create: boolean): LinkState | undefined {
  try {
    return queryLink(name)
  } catch (error) {
    if (!(error instanceof ParakernelError) || error.code !== 'ENODEV') throw error
    if (create) return undefined
    throw new ParakernelError('ENODEV', 'no such network interface', {
      subject: name,
      remedy: `Make it (ip tuntap add ${name} mode tap multi_queue vnet_hdr), or set create to true`,
    })
  }
}

/** Changes only what is not as it is wanted: a user who was given an interface may use it and not change it. */
function configure(link: LinkState, options: TapOptions, created: boolean): void {
  const { interface: name, mtu = link.mtu, hostAddresses = [] } = options
  const { ringSize = created ? DEFAULT_RING_SIZE : link.transmitQueueLength } = options
  const quiet = !hostAddresses.some((address) => address.includes(':'))
  const settings: LinkSettings = {
    ...(mtu === link.mtu ? {} : { mtu }),
    ...(ringSize === link.transmitQueueLength ? {} : { transmitQueueLength: ringSize }),
    ...(link.up ? {} : { up: true }),
    // Without an IPv6 address of its own the kernel need not announce itself.
    ...(created && quiet ? { ipv6AutoAddress: false } : {}),
  }
  setLink(link.index, settings, name)
  for (const address of hostAddresses) addLinkAddress(link.index, address, name)
}
