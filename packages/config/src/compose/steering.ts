import { countersBuffer, type NetDevice, ParakernelError } from '@parakernel/hal'
import {
  misroutedShare,
  type PartitionPlan,
  type PlacedRule,
  type ProcessPlan,
  placeRules,
  STEERING_COUNTERS,
  STEERING_HEADER_BYTES,
  SteeringCounters,
  type SteeringPlan,
  type SteeringStatistics,
} from '@parakernel/kernel'
import type { Payload } from '../partition/main.ts'
import type { ResolvedConfig } from '../settings/resolved.ts'
import { createRings } from './rings.ts'

/** Frames that one partition may have handed to another, which has not taken them over yet. */
const HAND_OVER_SLOTS = 256

/** How a machine's packets find their partitions. */
export interface MachineSteering {
  /** Where each rule of the config runs, and why. */
  readonly rules: readonly PlacedRule[]
  /** Of each partition; all zero while no rule runs in software. */
  readonly partitions: readonly SteeringStatistics[]
  /** The share of the packets that the device brought to the wrong partition, from 0 to 1. */
  readonly misroutedShare: number
}

type Plan = PartitionPlan<Payload> | ProcessPlan<Payload>

/** Places the config's rules, and gives the partitions what they need for those that the device does not take. */
export class Steering {
  readonly plans: readonly Plan[]
  readonly #rules: readonly PlacedRule[]
  readonly #counters: readonly SteeringCounters[]

  /**
   * @param device undefined for one that is not ours to steer
   * @throws ENOTSUP for a rule in software between processes
   */
  constructor(config: ResolvedConfig, plans: readonly Plan[], device: NetDevice | undefined) {
    const { steering, partitions, frames } = config.settings
    this.#rules = placeRules(steering, partitions, device)
    const buffers = plans.map(() => countersBuffer(STEERING_COUNTERS))
    this.#counters = buffers.map((buffer) => new SteeringCounters(buffer))
    if (partitions === 1 || this.#rules.every(({ where }) => where === 'device')) {
      this.plans = plans
      return
    }
    if (!plans.every((plan) => 'grants' in plan)) {
      throw new ParakernelError('ENOTSUP', 'packets cannot be handed from one process to another', {
        subject: 'steering',
        remedy: 'Leave rules to those that the device takes (ports and whole addresses), or set isolation to "worker"',
      })
    }
    const rings = createRings(
      plans.map(({ window }) => window.wake),
      { slots: HAND_OVER_SLOTS, slotBytes: frames.size + STEERING_HEADER_BYTES },
    )
    this.plans = plans.map((plan, i) => {
      const own: SteeringPlan = {
        rules: steering,
        incoming: rings.incoming[i],
        outgoing: rings.outgoing[i],
        counters: buffers[i],
      }
      return { ...plan, data: { ...plan.data, network: { ...plan.data.network, steering: own } } }
    })
  }

  statistics(): MachineSteering {
    const partitions = this.#counters.map((counters) => counters.snapshot())
    return { rules: this.#rules, partitions, misroutedShare: misroutedShare(partitions) }
  }
}
