import { type NetDevice, ParakernelError, reasonOf } from '@parakernel/hal'
import { checkRules, deviceRule, type PartitionRule } from './rule.ts'

/** Where a rule runs, and why. */
export interface PlacedRule {
  readonly rule: PartitionRule
  readonly where: 'device' | 'software'
  readonly why: string
}

/**
 * Gives the device the rules that it takes. The others are for the partitions: whoever receives a packet hands it on (see
 * `SteeredQueue`). Once one rule is in software, the partitions look at all of them, since an earlier rule comes first wherever it
 * runs; the device's are then right nearly always, and spare the hand-over.
 * @param device whose queue p is partition p's; undefined to place nothing on it
 * @throws EINVAL for rules that make no sense
 */
export function placeRules(
  rules: readonly PartitionRule[],
  partitions: number,
  device: Pick<NetDevice, 'capabilities' | 'steer'> | undefined,
): PlacedRule[] {
  checkRules(rules, partitions)
  return rules.map((rule): PlacedRule => {
    const software = (why: string) => ({ rule, where: 'software', why }) as const
    const wanted = deviceRule(rule)
    if (typeof wanted === 'string') return software(wanted)
    if (device === undefined) return software('the device is not ours to steer')
    if (!device.capabilities.steering) return software('the device takes no steering rules')
    try {
      device.steer(wanted)
      return { rule, where: 'device', why: 'the device takes it' }
    } catch (error) {
      if (!(error instanceof ParakernelError)) throw error
      return software(`the device refused it: ${reasonOf(error)}`)
    }
  })
}
