/** Admin commands: NVMe base specification 2.0, figure 138. */
export const ADMIN_DELETE_SQ = 0x00
export const ADMIN_CREATE_SQ = 0x01
export const ADMIN_GET_LOG_PAGE = 0x02
export const ADMIN_DELETE_CQ = 0x04
export const ADMIN_CREATE_CQ = 0x05
export const ADMIN_IDENTIFY = 0x06
export const ADMIN_ABORT = 0x08
export const ADMIN_SET_FEATURES = 0x09
export const ADMIN_GET_FEATURES = 0x0a
export const ADMIN_ASYNC_EVENT = 0x0c

/** Commands of the NVM command set: NVM command set specification 1.0, section 3.2. */
export const NVM_FLUSH = 0x00
export const NVM_WRITE = 0x01
export const NVM_READ = 0x02
export const NVM_COMPARE = 0x05
export const NVM_WRITE_ZEROES = 0x08
export const NVM_DATASET_MANAGEMENT = 0x09

/** Dword 12 of commands that move data: force unit access. */
export const NVM_FUA = 1 << 30
/** Dword 11 of dataset management: deallocate. */
export const DSM_DEALLOCATE = 1 << 2

/** CNS values of identify. */
export const CNS_NAMESPACE = 0x00
export const CNS_CONTROLLER = 0x01
export const CNS_ACTIVE_NAMESPACES = 0x02
export const CNS_DESCRIPTORS = 0x03
/** What a command set says of the controller: limits of commands without data. */
export const CNS_COMMAND_SET_CONTROLLER = 0x06

export const ALL_NAMESPACES = 0xffff_ffff
