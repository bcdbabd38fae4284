/** ioctls and ring commands of linux/nvme_ioctl.h, with the sizes of their structures. */
export const NVME_IOCTL_ID = 0x4e40
export const NVME_IOCTL_ADMIN64_CMD = 0xc050_4e47
export const NVME_URING_CMD_IO = 0xc048_4e80
/** The address is that of an array of iovecs, the length their number. */
export const NVME_URING_CMD_IO_VEC = 0xc048_4e81

/** Bytes of struct nvme_passthru_cmd64. */
export const PASSTHROUGH_BYTES = 80
/** Bytes of struct iovec. */
export const VECTOR_BYTES = 16
/** Bytes of a range of dataset management. */
export const RANGE_BYTES = 16
