import { formatMac } from '@parakernel/hal'
import { setTxChecksumOffload } from '../interface/ethtool.ts'
import { queryLink } from '../interface/netlink.ts'
import { ip } from './ip-command.ts'
import { createLabNamespace } from './namespace.ts'

export interface VethPairOptions {
  /** Part of the names, 1 to 4 of a-z and 0-9; a process that makes several pairs gives each its own. Default `lab`. */
  readonly label?: string
  /** Queues of each end. A frame sent on the peer's queue n arrives on our queue n. Default 1. */
  readonly queues?: number
  /** Default 1500; native XDP takes at most 3506. */
  readonly mtu?: number
  /** Addresses with prefix length of the peer's end. Our end never gets one: its traffic is the libOS's alone. */
  readonly peerAddresses?: readonly string[]
  /**
   * Leave the peer's transmit checksum offload on. Its kernel then sends packets with only the pseudo-header summed,
   * which never happens on a wire. Default false.
   */
  readonly peerChecksumOffload?: boolean
}

/** Two ends of a virtual cable: ours in this namespace, the peer's in one of its own, where a plain Linux lives. */
export interface VethPair {
  /** Our end, for a backend to open. */
  readonly interface: string
  readonly mac: string
  readonly namespace: string
  /** The peer's end, inside the namespace. */
  readonly peer: string
  readonly peerMac: string
  readonly queues: number
  /** Runs `body` inside the namespace: sockets that it opens belong to the peer. Synchronous only. */
  inside<T>(body: () => T): T
  /** The command line that runs a program inside the namespace. */
  command(...program: string[]): [file: string, args: string[]]
  /** Runs a program inside the namespace to its end and returns what it printed. Throws when it fails. */
  run(...program: string[]): string
  /** Removes both ends and the namespace. Idempotent. */
  remove(): void
  [Symbol.dispose](): void
}

const PEER = 'eth0'

/**
 * Makes a multi-queue veth pair with the peer in a new namespace. It is removed when the process ends, by exit or by
 * signal; after a crash, by the next call in any process.
 * Throws EPERM when the machine or the process cannot, EEXIST when this process has a pair of that label.
 */
export function createVethPair(options: VethPairOptions = {}): VethPair {
  const { label = 'lab', queues = 1, mtu = 1500, peerAddresses = [], peerChecksumOffload = false } = options
  const lab = createLabNamespace({ label })
  const { namespace: name, inside, command, run, remove } = lab
  try {
    const ends = `numtxqueues ${queues} numrxqueues ${queues}`
    ip([
      `link add ${name} mtu ${mtu} ${ends} type veth peer name ${PEER} mtu ${mtu} ${ends} netns ${name}`,
      // No link-local address: the kernel must not answer, or announce itself, on the libOS's end.
      `link set ${name} addrgenmode none`,
      `link set ${name} up`,
    ])
    const quiet = peerAddresses.some((address) => address.includes(':')) ? [] : [`link set ${PEER} addrgenmode none`]
    lab.ip(
      ...quiet,
      ...peerAddresses.map((address) => `addr add ${address} dev ${PEER} ${address.includes(':') ? 'nodad' : ''}`),
      `link set ${PEER} up`,
    )
    inside(() => setTxChecksumOffload(PEER, peerChecksumOffload))
    return {
      interface: name,
      mac: formatMac(queryLink(name).mac),
      namespace: name,
      peer: PEER,
      peerMac: inside(() => formatMac(queryLink(PEER).mac)),
      queues,
      inside,
      command,
      run,
      remove,
      [Symbol.dispose]: remove,
    }
  } catch (error) {
    remove()
    throw error
  }
}
