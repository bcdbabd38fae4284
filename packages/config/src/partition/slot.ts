import { ParakernelError } from '@parakernel/hal'
import type { PartitionContext } from '@parakernel/kernel'

/** A libOS of a partition: how to build it, and the one that was built. */
export interface Slot<Plan, LibOS> {
  readonly plan: Plan | undefined
  started: Promise<LibOS> | undefined
}

/** Where a context keeps its slots; registered, so that two copies of this package in one process agree. */
const SLOTS = Symbol.for('parakernel.config.slots')

export type Slots = Readonly<Record<string, Slot<unknown, unknown>>>

type WithSlots = { readonly [SLOTS]?: Slots }

/** The context that a partition's own module sees: as the kernel made it, with its own data and its slots. */
export function contextWithSlots<Data>(
  context: PartitionContext<unknown>,
  data: Data,
  plans: Readonly<Record<string, unknown>>,
): PartitionContext<Data> {
  const slots = Object.fromEntries(Object.entries(plans).map(([name, plan]) => [name, { plan, started: undefined }]))
  return Object.create(context, {
    data: { value: data, enumerable: true },
    [SLOTS]: { value: slots },
  }) as PartitionContext<Data>
}

/**
 * The libOS of a slot, built at the first call.
 * @throws EINVAL for a context that `compose` did not make, or that has no such libOS
 */
export function startSlot<Plan, LibOS>(
  name: string,
  context: PartitionContext<unknown>,
  create: (plan: Plan, context: PartitionContext<unknown>) => Promise<LibOS>,
  remedy: string,
): Promise<LibOS> {
  const slot = (context as WithSlots)[SLOTS]?.[name] as Slot<Plan, LibOS> | undefined
  if (slot?.plan === undefined) {
    throw new ParakernelError('EINVAL', `has no ${name} in its plan`, { subject: `partition ${context.name}`, remedy })
  }
  slot.started ??= create(slot.plan, context)
  return slot.started
}

/** The libOS that was started in a slot, if one was and came up. */
export async function startedSlot<LibOS>(name: string, context: PartitionContext<unknown>): Promise<LibOS | undefined> {
  const slot = (context as WithSlots)[SLOTS]?.[name] as Slot<unknown, LibOS> | undefined
  return slot?.started?.catch(() => undefined)
}
