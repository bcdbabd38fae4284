import { ParakernelError } from '@parakernel/hal'
import {
  EACCES,
  EBUSY,
  EEXIST,
  EPERM,
  ERANGE,
  findLinkHolder,
  missingCapabilities,
  queryLink,
  systemError,
  xdpLinks,
} from '@parakernel/linux'

/** Whether skb mode could succeed where native mode failed with `errno`. */
export const isModeProblem = (errno: number) =>
  errno !== EBUSY && errno !== EEXIST && errno !== EPERM && errno !== EACCES

/** Why a driver refuses native mode, in words. */
export const refusal = (errno: number) => (errno === ERANGE ? 'the MTU is too large for it' : `errno ${errno}`)

/** What a link that could not be made means. */
export function attachError(errno: number, subject: string): ParakernelError {
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
