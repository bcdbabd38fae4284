import type { NetDevice } from '@parakernel/hal'

/**
 * Tells of what happens to a machine's device while it runs: partitions see a queue without traffic, and the reason is
 * known here alone. Returns the way to stop.
 */
export function tellOfEvents(device: NetDevice, warn: (message: string) => void): () => void {
  return device.subscribe((event) => {
    if (event.kind === 'removed') warn(`${device.name}: was removed; nothing is sent or received any more`)
    if (event.kind === 'link') warn(`${device.name}: the link is ${event.up ? 'up' : 'down'}`)
  })
}
