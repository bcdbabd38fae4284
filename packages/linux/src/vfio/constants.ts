/** Numbers of linux/vfio.h. The requests carry no size: every structure begins with its own (`argsz`). */
export const VFIO_API_VERSION = 0
export const VFIO_TYPE1v2_IOMMU = 3

export const VFIO_GET_API_VERSION = 0x3b64
export const VFIO_CHECK_EXTENSION = 0x3b65
export const VFIO_SET_IOMMU = 0x3b66
export const VFIO_GROUP_GET_STATUS = 0x3b67
export const VFIO_GROUP_SET_CONTAINER = 0x3b68
export const VFIO_GROUP_GET_DEVICE_FD = 0x3b6a
export const VFIO_DEVICE_GET_INFO = 0x3b6b
export const VFIO_DEVICE_GET_REGION_INFO = 0x3b6c
export const VFIO_DEVICE_GET_IRQ_INFO = 0x3b6d
export const VFIO_DEVICE_SET_IRQS = 0x3b6e
export const VFIO_DEVICE_RESET = 0x3b6f
export const VFIO_IOMMU_GET_INFO = 0x3b70
export const VFIO_IOMMU_MAP_DMA = 0x3b71
export const VFIO_IOMMU_UNMAP_DMA = 0x3b72

export const VFIO_GROUP_FLAGS_VIABLE = 1
export const VFIO_DEVICE_FLAGS_RESET = 1
export const VFIO_REGION_INFO_FLAG_MMAP = 4

export const VFIO_DMA_MAP_FLAG_READ = 1
export const VFIO_DMA_MAP_FLAG_WRITE = 2

export const VFIO_IOMMU_INFO_CAPS = 2
export const VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE = 1

export const VFIO_IRQ_SET_DATA_NONE = 1
export const VFIO_IRQ_SET_DATA_EVENTFD = 4
export const VFIO_IRQ_SET_ACTION_TRIGGER = 32
export const VFIO_PCI_MSIX_IRQ_INDEX = 2
export const VFIO_PCI_CONFIG_REGION_INDEX = 7
