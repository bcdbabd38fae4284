import { createPlainRegion, ParakernelError } from '@parakernel/hal'
import { calls, EACCES, EPERM, foreign, regionAddress, systemError } from '@parakernel/linux'
import {
  type ControllerIdentity,
  type NamespaceIdentity,
  parseController,
  parseDescriptors,
  parseNamespace,
} from '../spec/identify.ts'
import { ADMIN_IDENTIFY, CNS_CONTROLLER, CNS_DESCRIPTORS, CNS_NAMESPACE } from '../spec/opcodes.ts'
import { NvmeError } from '../spec/status-error.ts'
import { NVME_IOCTL_ADMIN64_CMD, NVME_IOCTL_ID, PASSTHROUGH_BYTES } from './constants.ts'

/** The kernel's driver does not tell CAP.MPSMIN; every controller that it drives has pages of 4 KiB. */
const MIN_PAGE = 4096

export interface Identified {
  readonly controller: ControllerIdentity
  readonly namespace: NamespaceIdentity
}

/**
 * Asks the controller behind a namespace's character device who it is.
 * @throws ENODEV for another kind of device; EACCES, EPERM; an NvmeError
 */
export function identifyThrough(fd: number, subject: string): Identified {
  const number = calls().ioctl(fd, NVME_IOCTL_ID, null)
  if (number <= 0) {
    throw new ParakernelError('ENODEV', 'is no namespace of an NVMe controller', {
      subject,
      remedy: 'Name the character device of a namespace, such as /dev/ng0n1',
    })
  }
  const controller = parseController(identify(fd, CNS_CONTROLLER, 0, subject), MIN_PAGE)
  const descriptors = optional(() => parseDescriptors(identify(fd, CNS_DESCRIPTORS, number, subject))) ?? {
    commandSet: 0,
  }
  const bytes = identify(fd, CNS_NAMESPACE, number, subject)
  return { controller, namespace: parseNamespace(bytes, number, controller.atomicUnitPowerFail, descriptors) }
}

/** One page that the controller returns, by struct nvme_passthru_cmd64. */
function identify(fd: number, cns: number, namespace: number, subject: string): Uint8Array {
  const region = createPlainRegion(4096)
  const command = new DataView(new ArrayBuffer(PASSTHROUGH_BYTES))
  command.setUint8(0, ADMIN_IDENTIFY)
  command.setUint32(4, namespace, true)
  command.setBigUint64(24, BigInt(regionAddress(region)), true)
  command.setUint32(36, 4096, true)
  command.setUint32(40, cns, true)
  const result = calls().ioctl(fd, NVME_IOCTL_ADMIN64_CMD, command)
  if (result < 0) {
    const errno = foreign().errno()
    const denied = errno === EACCES || errno === EPERM
    throw systemError(errno, {
      call: 'ioctl(NVME_IOCTL_ADMIN64_CMD)',
      subject,
      ...(denied ? { remedy: 'Run as root, or give the process CAP_SYS_ADMIN' } : {}),
    })
  }
  if (result > 0) throw new NvmeError(result, `Identify (CNS 0x${cns.toString(16).padStart(2, '0')})`, subject)
  return new Uint8Array(region.buffer, 0, 4096)
}

/** Undefined when the controller does not know the command. */
function optional<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch (error) {
    if (error instanceof NvmeError) return undefined
    throw error
  }
}
