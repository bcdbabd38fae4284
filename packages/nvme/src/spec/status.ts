/**
 * Status codes: NVMe base specification 2.0, section 3.3.3.2.1, and NVM command set specification 1.0, section 3.1.2. The number is
 * `type << 8 | code`; the errno is what a completion carries. `retry` marks conditions that pass by themselves, for commands whose
 * status has the "do not retry" bit clear.
 */
export interface StatusCode {
  readonly name: string
  readonly errno: StatusErrno
  readonly retry?: true
}

export type StatusErrno =
  | 'EACCES'
  | 'EAGAIN'
  | 'EBADF'
  | 'EBUSY'
  | 'ECANCELED'
  | 'EEXIST'
  | 'EFAULT'
  | 'EINVAL'
  | 'EIO'
  | 'ENODEV'
  | 'ENOSPC'
  | 'ENOTSUP'
  | 'EPERM'
  | 'EROFS'
  | 'ETIMEDOUT'
  | 'ENOMEM'
  | 'ERANGE'

/** Linux's numbers of the errnos above. */
export const ERRNO_NUMBERS: Readonly<Record<StatusErrno, number>> = {
  EPERM: 1,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  ENOSPC: 28,
  EROFS: 30,
  ERANGE: 34,
  ENOTSUP: 95,
  ETIMEDOUT: 110,
  ECANCELED: 125,
}

const code = (name: string, errno: StatusErrno): StatusCode => ({ name, errno })
const passing = (name: string, errno: StatusErrno): StatusCode => ({ name, errno, retry: true })

export const STATUS_CODES: ReadonlyMap<number, StatusCode> = new Map<number, StatusCode>([
  // Generic command status.
  [0x000, code('Successful Completion', 'EIO')],
  [0x001, code('Invalid Command Opcode', 'ENOTSUP')],
  [0x002, code('Invalid Field in Command', 'EINVAL')],
  [0x003, code('Command ID Conflict', 'EIO')],
  [0x004, passing('Data Transfer Error', 'EIO')],
  [0x005, code('Commands Aborted due to Power Loss Notification', 'EIO')],
  [0x006, passing('Internal Error', 'EIO')],
  [0x007, code('Command Abort Requested', 'ECANCELED')],
  [0x008, passing('Command Aborted due to SQ Deletion', 'ECANCELED')],
  [0x009, code('Command Aborted due to Failed Fused Command', 'ECANCELED')],
  [0x00a, code('Command Aborted due to Missing Fused Command', 'ECANCELED')],
  [0x00b, code('Invalid Namespace or Format', 'ENODEV')],
  [0x00c, code('Command Sequence Error', 'EINVAL')],
  [0x00d, code('Invalid SGL Segment Descriptor', 'EINVAL')],
  [0x00e, code('Invalid Number of SGL Descriptors', 'EINVAL')],
  [0x00f, code('Data SGL Length Invalid', 'EINVAL')],
  [0x010, code('Metadata SGL Length Invalid', 'EINVAL')],
  [0x011, code('SGL Descriptor Type Invalid', 'EINVAL')],
  [0x012, code('Invalid Use of Controller Memory Buffer', 'EINVAL')],
  [0x013, code('PRP Offset Invalid', 'EINVAL')],
  [0x014, code('Atomic Write Unit Exceeded', 'EINVAL')],
  [0x015, code('Operation Denied', 'EPERM')],
  [0x016, code('SGL Offset Invalid', 'EINVAL')],
  [0x018, code('Host Identifier Inconsistent Format', 'EINVAL')],
  [0x019, code('Keep Alive Timer Expired', 'ETIMEDOUT')],
  [0x01a, code('Keep Alive Timeout Invalid', 'EINVAL')],
  [0x01b, code('Command Aborted due to Preempt and Abort', 'ECANCELED')],
  [0x01c, code('Sanitize Failed', 'EIO')],
  [0x01d, passing('Sanitize In Progress', 'EBUSY')],
  [0x01e, code('SGL Data Block Granularity Invalid', 'EINVAL')],
  [0x01f, code('Command Not Supported for Queue in CMB', 'ENOTSUP')],
  [0x020, code('Namespace is Write Protected', 'EROFS')],
  [0x021, passing('Command Interrupted', 'EAGAIN')],
  [0x022, passing('Transient Transport Error', 'EIO')],
  [0x023, code('Command Prohibited by Command and Feature Lockdown', 'EPERM')],
  [0x024, passing('Admin Command Media Not Ready', 'EBUSY')],
  [0x080, code('LBA Out of Range', 'EINVAL')],
  [0x081, code('Capacity Exceeded', 'ENOSPC')],
  [0x082, passing('Namespace Not Ready', 'EBUSY')],
  [0x083, code('Reservation Conflict', 'EACCES')],
  [0x084, passing('Format In Progress', 'EBUSY')],
  [0x085, code('Invalid Value Size', 'EINVAL')],
  [0x086, code('Invalid Key Size', 'EINVAL')],
  [0x087, code('KV Key Does Not Exist', 'EINVAL')],
  [0x088, code('Unrecovered Error', 'EIO')],
  [0x089, code('Key Exists', 'EEXIST')],
  // Command specific status, of admin commands first.
  [0x100, code('Completion Queue Invalid', 'EINVAL')],
  [0x101, code('Invalid Queue Identifier', 'EINVAL')],
  [0x102, code('Invalid Queue Size', 'EINVAL')],
  [0x103, code('Abort Command Limit Exceeded', 'EAGAIN')],
  [0x105, code('Asynchronous Event Request Limit Exceeded', 'EAGAIN')],
  [0x106, code('Invalid Firmware Slot', 'EINVAL')],
  [0x107, code('Invalid Firmware Image', 'EINVAL')],
  [0x108, code('Invalid Interrupt Vector', 'EINVAL')],
  [0x109, code('Invalid Log Page', 'EINVAL')],
  [0x10a, code('Invalid Format', 'EINVAL')],
  [0x10b, code('Firmware Activation Requires Conventional Reset', 'EAGAIN')],
  [0x10c, code('Invalid Queue Deletion', 'EINVAL')],
  [0x10d, code('Feature Identifier Not Saveable', 'ENOTSUP')],
  [0x10e, code('Feature Not Changeable', 'EPERM')],
  [0x10f, code('Feature Not Namespace Specific', 'EINVAL')],
  [0x110, code('Firmware Activation Requires NVM Subsystem Reset', 'EAGAIN')],
  [0x111, code('Firmware Activation Requires Controller Level Reset', 'EAGAIN')],
  [0x112, code('Firmware Activation Requires Maximum Time Violation', 'EAGAIN')],
  [0x113, code('Firmware Activation Prohibited', 'EPERM')],
  [0x114, code('Overlapping Range', 'EINVAL')],
  [0x115, code('Namespace Insufficient Capacity', 'ENOSPC')],
  [0x116, code('Namespace Identifier Unavailable', 'ENOSPC')],
  [0x118, code('Namespace Already Attached', 'EEXIST')],
  [0x119, code('Namespace Is Private', 'EACCES')],
  [0x11a, code('Namespace Not Attached', 'ENODEV')],
  [0x11b, code('Thin Provisioning Not Supported', 'ENOTSUP')],
  [0x11c, code('Controller List Invalid', 'EINVAL')],
  [0x11d, passing('Device Self-test In Progress', 'EBUSY')],
  [0x11e, code('Boot Partition Write Prohibited', 'EPERM')],
  [0x11f, code('Invalid Controller Identifier', 'EINVAL')],
  [0x120, code('Invalid Secondary Controller State', 'EINVAL')],
  [0x121, code('Invalid Number of Controller Resources', 'EINVAL')],
  [0x122, code('Invalid Resource Identifier', 'EINVAL')],
  [0x123, code('Sanitize Prohibited While Persistent Memory Region is Enabled', 'EPERM')],
  [0x124, code('ANA Group Identifier Invalid', 'EINVAL')],
  [0x125, code('ANA Attach Failed', 'EIO')],
  [0x126, code('Insufficient Capacity', 'ENOSPC')],
  [0x127, code('Namespace Attachment Limit Exceeded', 'ENOSPC')],
  [0x128, code('Prohibition of Command Execution Not Supported', 'ENOTSUP')],
  [0x129, code('I/O Command Set Not Supported', 'ENOTSUP')],
  [0x12a, code('I/O Command Set Not Enabled', 'ENOTSUP')],
  [0x12b, code('I/O Command Set Combination Rejected', 'EINVAL')],
  [0x12c, code('Invalid I/O Command Set', 'EINVAL')],
  [0x12d, code('Identifier Unavailable', 'ENOSPC')],
  // Command specific status of the NVM and zoned command sets.
  [0x180, code('Conflicting Attributes', 'EINVAL')],
  [0x181, code('Invalid Protection Information', 'EINVAL')],
  [0x182, code('Attempted Write to Read Only Range', 'EROFS')],
  [0x183, code('Command Size Limit Exceeded', 'EINVAL')],
  [0x1b8, code('Zoned Boundary Error', 'EINVAL')],
  [0x1b9, code('Zone Is Full', 'ENOSPC')],
  [0x1ba, code('Zone Is Read Only', 'EROFS')],
  [0x1bb, code('Zone Is Offline', 'EIO')],
  [0x1bc, code('Zone Invalid Write', 'EINVAL')],
  [0x1bd, code('Too Many Active Zones', 'EBUSY')],
  [0x1be, code('Too Many Open Zones', 'EBUSY')],
  [0x1bf, code('Invalid Zone State Transition', 'EINVAL')],
  // Media and data integrity errors.
  [0x280, code('Write Fault', 'EIO')],
  [0x281, code('Unrecovered Read Error', 'EIO')],
  [0x282, code('End-to-end Guard Check Error', 'EIO')],
  [0x283, code('End-to-end Application Tag Check Error', 'EIO')],
  [0x284, code('End-to-end Reference Tag Check Error', 'EIO')],
  [0x285, code('Compare Failure', 'EIO')],
  [0x286, code('Access Denied', 'EACCES')],
  [0x287, code('Deallocated or Unwritten Logical Block', 'EIO')],
  [0x288, code('End-to-End Storage Tag Check Error', 'EIO')],
  // Path related status.
  [0x300, passing('Internal Path Error', 'EIO')],
  [0x301, code('Asymmetric Access Persistent Loss', 'EIO')],
  [0x302, passing('Asymmetric Access Inaccessible', 'EAGAIN')],
  [0x303, passing('Asymmetric Access Transition', 'EAGAIN')],
  [0x360, passing('Controller Pathing Error', 'EIO')],
  [0x370, passing('Host Pathing Error', 'EIO')],
  [0x371, code('Command Aborted By Host', 'ECANCELED')],
])
