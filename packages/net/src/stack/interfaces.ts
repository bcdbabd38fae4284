import { GRANT_ATTACHED, type NetQueue, ParakernelError } from '@parakernel/hal'
import type { LibOSContext } from '@parakernel/queue'
import type { InterfaceConfig, NetConfig } from '../config.ts'
import { macParts } from '../ethernet/mac.ts'
import { type InterfaceOptions, resolveInterface } from '../options/interface-options.ts'
import type { StackContext } from './context.ts'
import { NetInterface } from './interface.ts'
import { LoopbackQueue } from './loopback-queue.ts'

/** Name of the first interface. */
export const FIRST_INTERFACE = 'net0'
export const LOOPBACK_INTERFACE = 'lo'

/** An interface to be: its queues and what it is told. */
export interface InterfacePlan {
  readonly name: string
  readonly config: InterfaceConfig
  readonly queues: readonly NetQueue[]
}

/**
 * The interfaces of devices that a libOS is to have, the first one first.
 * @throws EINVAL without queues, for bad options and for two of one name; ENOTSUP for a device that this stack cannot use
 */
export function interfacePlans(config: NetConfig, { queues, pool, interfaces = [] }: LibOSContext): InterfacePlan[] {
  const plans: InterfacePlan[] = [{ name: FIRST_INTERFACE, config: config.interface, queues }]
  for (const { name, queues: others, options } of interfaces) {
    if (name === LOOPBACK_INTERFACE || !/^[\w.-]+$/.test(name) || plans.some((plan) => plan.name === name)) {
      throw new ParakernelError('EINVAL', 'is not a name for a further interface', {
        subject: JSON.stringify(name),
        remedy: `Give each its own, of letters and digits, and neither ${FIRST_INTERFACE} nor ${LOOPBACK_INTERFACE}`,
      })
    }
    const settings = resolveInterface(options as unknown as InterfaceOptions)
    plans.push({ name, config: settings, queues: others })
  }
  for (const { name, queues: own } of plans) {
    checkQueues(name, own)
    if (own.some((queue) => queue.pool !== pool)) {
      throw new ParakernelError('EINVAL', 'has queues over other frames than the first', {
        subject: `interface ${name}`,
        remedy: 'Attach all queues of a partition with one pool',
      })
    }
  }
  return plans
}

/** The interfaces of the plans, and the loopback interface after them. */
export function createInterfaces(
  context: StackContext,
  { burst, transmitBacklog }: NetConfig,
  plans: readonly InterfacePlan[],
): NetInterface[] {
  const sizes = { burst, transmitBacklog }
  const interfaces = plans.map(({ name, config: { mac, vlan, checksum }, queues }, index) => {
    const address = macParts(mac ?? queues[0].control.mac)
    return new NetInterface(context, { ...sizes, name, index, mac: address, vlan, checksum, loopback: false }, queues)
  })
  const none = { high: 0, low: 0 }
  const lo = { name: LOOPBACK_INTERFACE, index: plans.length, mac: none, vlan: undefined, loopback: true }
  const queue = new LoopbackQueue(context.pool)
  return [...interfaces, new NetInterface(context, { ...sizes, ...lo, checksum: 'device' }, [queue])]
}

/** Whether any of an interface's queues is attached and has a link. */
export function isUp({ links }: NetInterface): boolean {
  return links.some(({ queue: { control } }) => control.linkUp && control.state === GRANT_ATTACHED)
}

function checkQueues(name: string, queues: readonly NetQueue[]): void {
  if (queues.length === 0) {
    throw new ParakernelError('EINVAL', 'no device queue was given', {
      subject: name === FIRST_INTERFACE ? 'libOS net' : `interface ${name}`,
      remedy: 'Configure a network backend with at least one queue for this partition',
    })
  }
  for (const { grant, capabilities } of queues) {
    if (capabilities.transmitAlignment > 1) {
      throw new ParakernelError('ENOTSUP', 'transmits only aligned data, and answers stand where they arrived', {
        subject: `${grant.device} queue ${grant.queue}`,
        remedy: 'Use a device whose capability transmitAlignment is 1',
      })
    }
  }
}
