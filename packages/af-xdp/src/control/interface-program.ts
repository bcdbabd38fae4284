import { type FilterExpression, ParakernelError } from '@parakernel/hal'
import {
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_XSKMAP,
  BPF_PROG_TYPE_XDP,
  BPF_XDP,
  bpfMapInfo,
  bpfProgramInfo,
  closeDescriptors,
  createBpfLink,
  createBpfMap,
  deleteFromBpfMap,
  foreign,
  type LinkState,
  loadBpfProgram,
  mapById,
  programById,
  putDescriptor,
  systemError,
  updateBpfLink,
  XDP_FLAGS_DRV_MODE,
  XDP_FLAGS_SKB_MODE,
} from '@parakernel/linux'
import type { TakeRules } from '../steering/take-rules.ts'
import { type PacketFilters, xdpProgram } from '../steering/xdp-program.ts'
import { attachError, isModeProblem, refusal } from './attach-error.ts'
import { createFilterMap, FILTER_MAP_NAME, InterfaceFilter } from './interface-filter.ts'

/** Names that bpftool shows, and by which another process finds the map. */
const SOCKET_MAP_NAME = 'pk_sockets'
const PROGRAM_NAME = 'pk_take'

export type XdpMode = 'native' | 'skb'

/** The descriptors that a program of ours is held by; -1 for the link of another process. */
interface Descriptors {
  readonly sockets: number
  readonly filterMap: number
  readonly link: number
}

/** The XDP program of an interface, the map of sockets that it redirects to, and its receive filter. */
export class InterfaceProgram {
  readonly mode: XdpMode
  /** Queues that the maps have room for. */
  readonly queues: number
  readonly filter: InterfaceFilter
  readonly #subject: string
  readonly #descriptors: Descriptors
  /** Those that the program was made of; undefined for a program of another process. */
  #rules: TakeRules | undefined
  #packetFilters: PacketFilters = new Map()

  constructor(
    subject: string,
    mode: XdpMode,
    queues: number,
    filter: InterfaceFilter,
    rules: TakeRules | undefined,
    descriptors: Descriptors,
  ) {
    this.#subject = subject
    this.mode = mode
    this.queues = queues
    this.filter = filter
    this.#rules = rules
    this.#descriptors = descriptors
  }

  /** Whether this process attached it; otherwise the rules, and its end, are another's. */
  get own(): boolean {
    return this.#descriptors.link >= 0
  }

  /** What the program takes of `queue` goes to this socket from now on. */
  put(queue: number, socket: number): void {
    if (putDescriptor(this.#descriptors.sockets, queue, socket) === 0) return
    throw systemError(foreign().errno(), { call: 'bpf(MAP_UPDATE_ELEM)', subject: `${this.#subject} queue ${queue}` })
  }

  /** The queue's frames stay with the kernel. Also happens by itself when the socket is closed. */
  drop(queue: number): void {
    deleteFromBpfMap(this.#descriptors.sockets, queue)
  }

  /** Replaces the rules at one stroke. Throws EPERM after joining. */
  replace(rules: TakeRules): void {
    this.#load(rules, this.#packetFilters)
    this.#rules = rules
    this.filter.setGroups(rules.groups)
  }

  /** Replaces the packet filter of a queue at one stroke. Throws EPERM after joining, EINVAL when the verifier refuses it. */
  setPacketFilter(queue: number, expression: FilterExpression | undefined): void {
    if (expression === undefined && !this.#packetFilters.has(queue)) return
    const filters = new Map(this.#packetFilters)
    if (expression === undefined) filters.delete(queue)
    else filters.set(queue, expression)
    this.#load(this.#rules, filters)
    this.#packetFilters = filters
  }

  #load(rules: TakeRules | undefined, packetFilters: PacketFilters): void {
    const { sockets, filterMap, link } = this.#descriptors
    if (!this.own || rules === undefined) {
      throw new ParakernelError('EPERM', 'the rules belong to the process that attached the program', {
        subject: this.#subject,
        remedy: 'Change them there',
      })
    }
    const replacement = load(rules, packetFilters, sockets, filterMap, this.queues)
    const errno = updateBpfLink(link, replacement) < 0 ? foreign().errno() : 0
    closeDescriptors(replacement)
    if (errno !== 0) throw systemError(errno, { call: 'bpf(LINK_UPDATE)', subject: this.#subject })
  }

  /** Whether a holder may still look at the filter: see `InterfaceFilter.close`. */
  close(watched: boolean): void {
    const { sockets, filterMap, link } = this.#descriptors
    closeDescriptors(link, sockets, filterMap)
    this.filter.close(watched)
  }
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
  warn: (message: string) => void = () => {},
): InterfaceProgram {
  const subject = link.name
  let sockets = -1
  let filterMap = -1
  let program = -1
  let filter: InterfaceFilter | undefined
  try {
    sockets = createBpfMap({ type: BPF_MAP_TYPE_XSKMAP, valueSize: 4, entries: queues, name: SOCKET_MAP_NAME })
    filterMap = createFilterMap(queues)
    filter = new InterfaceFilter(filterMap, link, queues)
    filter.setOwnAddress(link.mac)
    filter.setGroups(rules.groups)
    program = load(rules, new Map(), sockets, filterMap, queues)
    let attached: XdpMode = mode === 'skb' ? 'skb' : 'native'
    let descriptor = createBpfLink(program, link.index, BPF_XDP, flagsOf(attached))
    let errno = descriptor < 0 ? foreign().errno() : 0
    if (descriptor < 0 && mode === 'auto' && isModeProblem(errno)) {
      warn(`${subject}: the driver refuses native XDP (${refusal(errno)}); using the slower skb mode`)
      attached = 'skb'
      descriptor = createBpfLink(program, link.index, BPF_XDP, flagsOf(attached))
      errno = descriptor < 0 ? foreign().errno() : 0
    }
    if (descriptor < 0) throw attachError(errno, subject)
    return new InterfaceProgram(subject, attached, queues, filter, rules, { sockets, filterMap, link: descriptor })
  } catch (error) {
    filter?.close(false)
    closeDescriptors(sockets, filterMap)
    throw error
  } finally {
    closeDescriptors(program)
  }
}

/**
 * Finds the maps of the program that another process of parakernel attached. The rules are that process's; its end is
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
  let sockets = -1
  let filterMap = -1
  let queues = 0
  try {
    for (const id of mapIds) {
      const map = mapById(id)
      const info = map < 0 ? undefined : bpfMapInfo(map)
      if (sockets < 0 && info?.type === BPF_MAP_TYPE_XSKMAP && info.name === SOCKET_MAP_NAME) {
        sockets = map
        queues = info.entries
      } else if (filterMap < 0 && info?.type === BPF_MAP_TYPE_ARRAY && info.name === FILTER_MAP_NAME) {
        filterMap = map
      } else closeDescriptors(map)
    }
    if (sockets < 0 || filterMap < 0) throw nothing('the XDP program that is attached is not one of parakernel')
    const filter = new InterfaceFilter(filterMap, link, queues)
    const mode = link.xdpMode === 'skb' ? 'skb' : 'native'
    return new InterfaceProgram(subject, mode, queues, filter, undefined, { sockets, filterMap, link: -1 })
  } catch (error) {
    closeDescriptors(sockets, filterMap)
    throw error
  }
}

function load(rules: TakeRules, packetFilters: PacketFilters, sockets: number, filter: number, queues: number): number {
  const code = xdpProgram(rules, { sockets, filter, queues }, packetFilters)
  return loadBpfProgram({ type: BPF_PROG_TYPE_XDP, code, name: PROGRAM_NAME })
}

const flagsOf = (mode: XdpMode) => (mode === 'native' ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE)
