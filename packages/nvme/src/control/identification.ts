import { identify } from '../admin/command.ts'
import {
  type CommandSetLimits,
  type ControllerIdentity,
  type NamespaceIdentity,
  NO_LIMITS,
  parseCommandSetLimits,
  parseController,
  parseDescriptors,
  parseNamespace,
  parseNamespaceList,
} from '../spec/identify.ts'
import {
  CNS_ACTIVE_NAMESPACES,
  CNS_COMMAND_SET_CONTROLLER,
  CNS_CONTROLLER,
  CNS_DESCRIPTORS,
  CNS_NAMESPACE,
} from '../spec/opcodes.ts'
import { NvmeError } from '../spec/status-error.ts'
import type { Controller } from './controller.ts'
import type { Procedure } from './procedure.ts'

const VERSION_1_1 = 0x1_0100
const VERSION_1_3 = 0x1_0300
const VERSION_1_4 = 0x1_0400
/** Namespaces that are looked at; a list of more than this is a broken controller's. */
const MOST_NAMESPACES = 1024

export interface Identified {
  readonly identity: ControllerIdentity
  readonly limits: CommandSetLimits
}

export function* identifyController(controller: Controller): Procedure<Identified> {
  const { minPage, versionNumber } = controller.capabilities
  const { data } = yield* controller.command(identify(CNS_CONTROLLER))
  const identity = parseController(data, minPage)
  if (versionNumber < VERSION_1_4) return { identity, limits: NO_LIMITS }
  const limits = yield* optional(controller.command(identify(CNS_COMMAND_SET_CONTROLLER)))
  return { identity, limits: limits === undefined ? NO_LIMITS : parseCommandSetLimits(limits.data, minPage) }
}

/** The active namespaces, by their numbers. Those of another command set than NVM, or without blocks, are left out. */
export function* identifyNamespaces(controller: Controller): Procedure<Map<number, NamespaceIdentity>> {
  const found = new Map<number, NamespaceIdentity>()
  for (const namespace of yield* activeNamespaces(controller)) {
    const descriptors =
      controller.capabilities.versionNumber < VERSION_1_3
        ? undefined
        : yield* optional(controller.command(identify(CNS_DESCRIPTORS, namespace)))
    const known = descriptors === undefined ? { commandSet: 0 } : parseDescriptors(descriptors.data)
    if (known.commandSet !== 0) continue
    const { data } = yield* controller.command(identify(CNS_NAMESPACE, namespace))
    const identity = parseNamespace(data, namespace, controller.identity.atomicUnitPowerFail, known)
    // Nothing below 512 bytes a block is defined (LBADS), and 0 means that the format is not available. Addresses are exact below 2^53.
    const { blocks, blockSize } = identity
    if (blocks > 0 && Number.isSafeInteger(blocks) && blockSize >= 512) found.set(namespace, identity)
  }
  return found
}

function* activeNamespaces(controller: Controller): Procedure<number[]> {
  if (controller.capabilities.versionNumber < VERSION_1_1) {
    return Array.from({ length: Math.min(controller.identity.namespaces, MOST_NAMESPACES) }, (_, i) => i + 1)
  }
  const all: number[] = []
  // A list has the numbers above the one that is asked for, ascending: a controller that repeats itself is not believed.
  for (let above = 0; all.length < MOST_NAMESPACES; above = all[all.length - 1]) {
    const { data } = yield* controller.command(identify(CNS_ACTIVE_NAMESPACES, above))
    const list = parseNamespaceList(data)
    for (const namespace of list) {
      if (namespace <= (all.at(-1) ?? 0)) return all
      all.push(namespace)
    }
    if (list.length < 1024) break
  }
  return all
}

/** Undefined when the controller does not know the command. */
function* optional<T>(procedure: Procedure<T>): Procedure<T | undefined> {
  try {
    return yield* procedure
  } catch (error) {
    if (error instanceof NvmeError) return undefined
    throw error
  }
}
