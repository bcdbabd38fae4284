import {
  type ControlBlock,
  type FrameWindow,
  formatMac,
  GRANT_DETACHED,
  GRANT_REMOVED,
  type NetDeviceEvent,
  WakeWord,
} from '@parakernel/hal'
import { writeEventFd } from '../wait/eventfd.ts'
import type { LinkState } from './link-message.ts'

/** What changed from one state of an interface to the next, as a device tells it. Removal comes last. */
export function linkEvents(before: LinkState, after: LinkState): NetDeviceEvent[] {
  const events: NetDeviceEvent[] = []
  if (before.running !== after.running) events.push({ kind: 'link', up: after.running })
  if (before.mtu !== after.mtu) events.push({ kind: 'mtu', mtu: after.mtu })
  const mac = formatMac(after.mac)
  if (formatMac(before.mac) !== mac) events.push({ kind: 'mac', mac })
  if (before.present && !after.present) events.push({ kind: 'removed' })
  return events
}

/** Writes an interface's state where a queue's holder reads it. */
export function publishLink(control: ControlBlock, link: LinkState): void {
  control.linkUp = link.running
  control.mtu = link.mtu
  control.mac = formatMac(link.mac)
  if (!link.present && control.state !== GRANT_DETACHED) control.end(GRANT_REMOVED)
}

/** Whether the holder sleeps on its wake word or in poll(2), it looks at its control block now. */
export function wakeHolder(window: FrameWindow): void {
  const word = new WakeWord(window.wake)
  word.notify()
  if (word.eventFd >= 0) writeEventFd(word.eventFd)
}
