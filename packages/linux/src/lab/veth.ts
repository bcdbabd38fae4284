import { execFileSync } from 'node:child_process'
import { formatMac, ParakernelError } from '@parakernel/hal'
import { setTxChecksumOffload } from '../interface/ethtool.ts'
import { inNamespace } from '../interface/namespace.ts'
import { queryLink } from '../interface/netlink.ts'
import { ip, probeLab } from './ip-command.ts'
import { forget, labName, removePair, removeStale, tearDownAtExit } from './lifetime.ts'

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
  const possible = probeLab()
  if (!possible.available) {
    throw new ParakernelError('EPERM', `a veth pair needs ${possible.missing}`, {
      subject: `veth pair ${label}`,
      remedy: possible.remedy,
    })
  }
  removeStale()
  const name = labName(label)
  const remove = () => {
    if (forget(name)) removePair(name)
  }
  ip([`netns add ${name}`])
  tearDownAtExit(name)
  try {
    const ends = `numtxqueues ${queues} numrxqueues ${queues}`
    ip([
      `link add ${name} mtu ${mtu} ${ends} type veth peer name ${PEER} mtu ${mtu} ${ends} netns ${name}`,
      // No link-local address: the kernel must not answer, or announce itself, on the libOS's end.
      `link set ${name} addrgenmode none`,
      `link set ${name} up`,
    ])
    const quiet = peerAddresses.some((address) => address.includes(':')) ? [] : [`link set ${PEER} addrgenmode none`]
    ip(
      [
        'link set lo up',
        ...quiet,
        ...peerAddresses.map((address) => `addr add ${address} dev ${PEER} ${address.includes(':') ? 'nodad' : ''}`),
        `link set ${PEER} up`,
      ],
      name,
    )
    inNamespace(name, () => setTxChecksumOffload(PEER, peerChecksumOffload))
    const command = (...program: string[]): [string, string[]] => ['ip', ['netns', 'exec', name, ...program]]
    return {
      interface: name,
      mac: formatMac(queryLink(name).mac),
      namespace: name,
      peer: PEER,
      peerMac: inNamespace(name, () => formatMac(queryLink(PEER).mac)),
      queues,
      inside: (body) => inNamespace(name, body),
      command,
      run: (...program) =>
        execFileSync(...command(...program), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
      remove,
      [Symbol.dispose]: remove,
    }
  } catch (error) {
    remove()
    throw error
  }
}
