import { type FrameWindow, ParakernelError, parseMac } from '@parakernel/hal'
import type { LinkState } from '@parakernel/linux'
import { ETHERNET_HEADER, VLAN_TAG } from '../ethernet.ts'
import { MAX_QUEUES, type TapOptions } from '../options.ts'
import { MOST_ENTRIES } from './capabilities.ts'

/** Throws EINVAL that says what is possible. */
export function checkOptions(options: TapOptions): void {
  const { interface: name, queues = 1, ringSize = 1, mtu = 1500, mac } = options
  const invalid = (message: string, remedy: string) =>
    new ParakernelError('EINVAL', message, { subject: `tap ${JSON.stringify(name)}`, remedy })
  if (typeof name !== 'string' || !/^[^\s/%:]{1,15}$/.test(name) || name === '.' || name === '..') {
    throw invalid(
      'is no name of an interface',
      'Use 1 to 15 characters without white space, slash, colon or percent sign',
    )
  }
  if (!Number.isInteger(queues) || queues < 1 || queues > MAX_QUEUES) {
    throw invalid(`${queues} queues are asked for`, `Set queues to a number from 1 to ${MAX_QUEUES}`)
  }
  if (!Number.isInteger(ringSize) || ringSize < 1 || ringSize > 65_536) {
    throw invalid(`ring size ${ringSize} is out of range`, 'Set ringSize to a number from 1 to 65536')
  }
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > 65_521) {
    throw invalid(`an MTU of ${mtu} is out of range`, 'Set mtu to a number from 68 to 65521')
  }
  if (mac !== undefined && (parseMac(mac)[0] & 1) === 1) {
    throw invalid(`${mac} is the address of a group`, 'Use the address of one station, as 02:00:00:00:00:01')
  }
}

/** Whether an interface that is there can be opened with so many queues. Throws EINVAL, EBUSY. */
export function checkInterface({ name, tun }: LinkState, queues: number): void {
  const invalid = (message: string, remedy: string) => new ParakernelError('EINVAL', message, { subject: name, remedy })
  if (tun?.kind !== 'tap') {
    throw invalid('is not a TAP interface', 'Use the name of one, or a name that no interface has yet')
  }
  if ((tun.queues ?? 0) > 0) throw busy(name)
  if (!tun.multiQueue && queues > 1) {
    throw invalid('was made for one queue', `Make it again: ip tuntap add ${name} mode tap multi_queue vnet_hdr`)
  }
}

export function busy(name: string): ParakernelError {
  return new ParakernelError('EBUSY', 'another process has the interface open', {
    subject: name,
    remedy: 'End that process, or use an interface of another name',
  })
}

/** Whether a window's frames can take packets of this MTU. Throws EINVAL that says what to change. */
export function checkWindow(window: FrameWindow, mtu: number, subject: string): void {
  const room = window.frameSize - window.headroom - window.tailroom
  if (room >= ETHERNET_HEADER && room * MOST_ENTRIES >= mtu + ETHERNET_HEADER + VLAN_TAG) return
  throw new ParakernelError('EINVAL', `${MOST_ENTRIES} frames of ${room} bytes cannot hold a packet at MTU ${mtu}`, {
    subject,
    remedy: 'Use larger frames, or a smaller MTU',
  })
}
