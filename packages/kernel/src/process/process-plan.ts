import { ParakernelError, type ProcessLease, type ProcessUser } from '@parakernel/hal'
import type { PartitionPlan } from '../contracts.ts'
import { FIRST_LEASE_FD, type LaunchArguments, type StartMessage } from './protocol.ts'

/** The range from which systemd takes users for services that have none of their own; no person's and no file's. */
const FIRST_USER = 61_184
const USERS = 4_336

/** As the plan of a partition in a worker, with leases for its grants: what shares memory with the control plane cannot cross. */
export interface ProcessPlan<Data = unknown>
  extends Omit<PartitionPlan<Data>, 'grants' | 'blockGrants' | 'persistentGrants' | 'leases' | 'hostModule'> {
  /** Closed when the process is gone. The kinds keep their order: its net leases are the context's `queues`, and so on. */
  readonly leases: readonly ProcessLease[]
  /** A process needs a host: it exports `host`, which can give up rights. */
  readonly hostModule: string
  /**
   * Whom it runs as. Partitions of one user can send each other signals. Default, where the control plane is root: a user of its own,
   * 61184 and its index; else the control plane's, from which it is then not protected.
   */
  readonly user?: ProcessUser
  /** All of its environment. Default: empty. */
  readonly environment?: Readonly<Record<string, string>>
}

/** @throws ENOTSUP for rings and for memory that cannot cross, EINVAL for root */
export function checkProcessPlan(plan: ProcessPlan): void {
  const subject = `partition ${plan.name}`
  if ([...plan.incoming, ...plan.outgoing].some((ring) => ring !== undefined)) {
    throw new ParakernelError(
      'ENOTSUP',
      'a ring between a process and another partition is shared memory, which cannot cross',
      {
        subject,
        remedy: 'Leave its rings undefined: partitions in processes talk by call, or by their device queues',
      },
    )
  }
  if (plan.window.region.kind !== 'memfd') {
    throw new ParakernelError(
      'ENOTSUP',
      `a region of the ${plan.window.region.kind} kind cannot be mapped by a process`,
      {
        subject,
        remedy: 'Make one for it alone with Host.createRegion',
      },
    )
  }
  if (plan.user?.uid === 0) {
    throw new ParakernelError('EINVAL', 'nothing is kept from a process of root', {
      subject,
      remedy: 'Name another user, or none',
    })
  }
}

export function launchArguments(plan: ProcessPlan): LaunchArguments {
  const user = plan.user ?? defaultUser(plan.index)
  return {
    name: plan.name,
    hostModule: plan.hostModule,
    ...(user !== undefined && { user }),
    parent: process.pid,
    descriptors: FIRST_LEASE_FD + plan.leases.reduce((sum, { descriptors }) => sum + descriptors.length, 0),
    environment: plan.environment ?? {},
  }
}

function defaultUser(index: number): ProcessUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = FIRST_USER + (index % USERS)
  return { uid: id, gid: id }
}

export function startMessage(plan: ProcessPlan): StartMessage {
  const { name, index, partitions, module, heap, cpu, wait, deviceReserve, debugFrames, data } = plan
  const { byteOffset, frameSize, frameCount, headroom, tailroom, lease } = plan.window
  return {
    kind: 'start',
    plan: {
      name,
      index,
      partitions,
      module,
      heap,
      cpu,
      wait,
      ...(deviceReserve !== undefined && { deviceReserve }),
      ...(debugFrames !== undefined && { debugFrames }),
      data,
    },
    window: { byteOffset, frameSize, frameCount, headroom, tailroom, lease },
    regionBytes: plan.window.region.byteLength,
    leases: plan.leases.map(({ kind, module, ticket, descriptors }) => ({
      kind,
      module,
      ticket,
      descriptors: descriptors.length,
    })),
  }
}
