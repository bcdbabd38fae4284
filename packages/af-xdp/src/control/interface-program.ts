import { ParakernelError } from '@parakernel/hal'
import {
  BPF_MAP_TYPE_XSKMAP,
  BPF_PROG_TYPE_XDP,
  BPF_XDP,
  bpfMapInfo,
  bpfProgramInfo,
  closeDescriptors,
  createBpfLink,
  createBpfMap,
  deleteFromBpfMap,
  EACCES,
  EBUSY,
  EEXIST,
  EPERM,
  ERANGE,
  findLinkHolder,
  foreign,
  type LinkState,
  loadBpfProgram,
  mapById,
  missingCapabilities,
  programById,
  putDescriptor,
  queryLink,
  systemError,
  updateBpfLink,
  XDP_FLAGS_DRV_MODE,
  XDP_FLAGS_SKB_MODE,
  xdpLinks,
} from '@parakernel/linux'
import type { TakeRules } from '../steering/take-rules.ts'
import { xdpProgram } from '../steering/xdp-program.ts'

/** Names that bpftool shows, and by which another process finds the map. */
const MAP_NAME = 'pk_sockets'
const PROGRAM_NAME = 'pk_take'

export type XdpMode = 'native' | 'skb'

/** The XDP program of an interface and the map of sockets that it redirects to. */
export interface InterfaceProgram {
  readonly mode: XdpMode
  /** Queues that the map has room for. */
  readonly queues: number
  /** Frames of `queue` that the rules name go to this socket from now on. */
  put(queue: number, socket: number): void
  /** The queue's frames stay with the kernel. Also happens by itself when the socket is closed. */
  drop(queue: number): void
  /** Replaces the rules at one stroke. */
  replace(rules: TakeRules): void
  close(): void
}

/**
 * Attaches a program to the interface by a link: when this process ends, in whatever way, the kernel detaches it.
 * Throws EBUSY that names the owner when the interface has a program.
 */
export function attachProgram(
  link: LinkState,
  queues: number,
  mode: 'auto' | XdpMode,
  rules: TakeRules,
  warn: (message: string) => void,
): InterfaceProgram {
  const subject = link.name
  const map = createBpfMap({ type: BPF_MAP_TYPE_XSKMAP, valueSize: 4, entries: queues, name: MAP_NAME })
  let program = -1
  try {
    program = load(rules, map)
    let attached: XdpMode = mode === 'skb' ? 'skb' : 'native'
    let descriptor = createBpfLink(program, link.index, BPF_XDP, flagsOf(attached))
    let errno = descriptor < 0 ? foreign().errno() : 0
    if (descriptor < 0 && mode === 'auto' && errno !== EBUSY && errno !== EEXIST && errno !== EPERM) {
      warn(`${subject}: the driver refuses native XDP (${why(errno)}); using the slower skb mode`)
      attached = 'skb'
      descriptor = createBpfLink(program, link.index, BPF_XDP, XDP_FLAGS_SKB_MODE)
      errno = descriptor < 0 ? foreign().errno() : 0
    }
    if (descriptor < 0) throw attachError(errno, subject)
    return {
      mode: attached,
      queues,
      put: (queue, socket) => put(map, queue, socket, subject),
      drop: (queue) => void deleteFromBpfMap(map, queue),
      replace(next) {
        const replacement = load(next, map)
        const failed = updateBpfLink(descriptor, replacement) < 0
        const reason = failed ? foreign().errno() : 0
        closeDescriptors(replacement)
        if (failed) throw systemError(reason, { call: 'bpf(LINK_UPDATE)', subject })
      },
      close: () => closeDescriptors(descriptor, map),
    }
  } catch (error) {
    closeDescriptors(map)
    throw error
  } finally {
    closeDescriptors(program)
  }
}

/**
 * Finds the map of the program that another process of parakernel attached. The rules are that process's; its end is
 * the program's end. Throws ENOENT when there is no such program, EPERM without CAP_SYS_ADMIN.
 */
export function joinProgram(link: LinkState): InterfaceProgram {
  const subject = link.name
  const nothing = (message: string) =>
    new ParakernelError('ENOENT', message, { subject, remedy: 'Open the interface without join first' })
  if (link.xdpProgramId === 0) throw nothing('no XDP program is attached that could be joined')
  const program = programById(link.xdpProgramId)
  if (program < 0) {
    throw systemError(foreign().errno(), {
      call: 'bpf(PROG_GET_FD_BY_ID)',
      subject,
      remedy: 'Run as root, or grant CAP_SYS_ADMIN: joining looks up an object of another process',
    })
  }
  const mapIds = bpfProgramInfo(program)?.mapIds ?? []
  closeDescriptors(program)
  for (const id of mapIds) {
    const map = mapById(id)
    const info = map < 0 ? undefined : bpfMapInfo(map)
    if (info?.type === BPF_MAP_TYPE_XSKMAP && info.name === MAP_NAME) {
      return {
        mode: link.xdpMode === 'skb' ? 'skb' : 'native',
        queues: info.entries,
        put: (queue, socket) => put(map, queue, socket, subject),
        drop: (queue) => void deleteFromBpfMap(map, queue),
        replace() {
          throw new ParakernelError('EPERM', 'the rules belong to the process that attached the program', {
            subject,
            remedy: 'Change them there',
          })
        },
        close: () => closeDescriptors(map),
      }
    }
    closeDescriptors(map)
  }
  throw nothing('the XDP program that is attached is not one of parakernel')
}

function load(rules: TakeRules, map: number): number {
  return loadBpfProgram({ type: BPF_PROG_TYPE_XDP, code: xdpProgram(rules, map), name: PROGRAM_NAME })
}

function put(map: number, queue: number, socket: number, subject: string): void {
  if (putDescriptor(map, queue, socket) === 0) return
  throw systemError(foreign().errno(), { call: 'bpf(MAP_UPDATE_ELEM)', subject: `${subject} queue ${queue}` })
}

const flagsOf = (mode: XdpMode) => (mode === 'native' ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE)

const why = (errno: number) => (errno === ERANGE ? 'the MTU is too large for it' : `errno ${errno}`)

function attachError(errno: number, subject: string): ParakernelError {
  if (errno === EBUSY || errno === EEXIST) return busy(subject)
  if (errno === EPERM || errno === EACCES) return systemError(errno, { call: 'bpf(LINK_CREATE)', subject })
  return systemError(errno, {
    call: 'bpf(LINK_CREATE)',
    subject,
    remedy:
      errno === ERANGE
        ? 'Native XDP on veth needs an MTU of at most 3506 bytes: lower it, or use mode: skb'
        : 'Use mode: skb; a veth needs at least as many receive queues as its peer has transmit queues for native XDP',
  })
}

/** One program an interface: says whose it is, as far as this process may know, and how both can have their queues. */
function busy(subject: string): ParakernelError {
  const now = queryLink(subject)
  const owner = xdpLinks().find((link) => link.programId === now.xdpProgramId)
  const remedy = 'To share the interface, open it with join: true and take queues that the owner left free'
  if (owner === undefined && missingCapabilities('CAP_SYS_ADMIN').length > 0) {
    return new ParakernelError('EBUSY', `has XDP program ${now.xdpProgramId}, whose owner only root may see`, {
      subject,
      remedy,
    })
  }
  if (owner === undefined) {
    return new ParakernelError('EBUSY', `has XDP program ${now.xdpProgramId}, attached without a link`, {
      subject,
      remedy: `Detach it with: ip link set ${subject} xdp off`,
    })
  }
  const holder = findLinkHolder(owner.id)
  const name = holder === undefined ? 'another process' : `process ${holder.pid} (${holder.command})`
  return new ParakernelError('EBUSY', `has an XDP program of ${name}, link ${owner.id}`, { subject, remedy })
}
