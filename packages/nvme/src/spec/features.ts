/** Feature identifiers: NVMe base specification 2.0, figure 316. */
export const FEATURE_ARBITRATION = 0x01
export const FEATURE_POWER_MANAGEMENT = 0x02
export const FEATURE_TEMPERATURE_THRESHOLD = 0x04
export const FEATURE_ERROR_RECOVERY = 0x05
export const FEATURE_VOLATILE_WRITE_CACHE = 0x06
export const FEATURE_QUEUES = 0x07
export const FEATURE_INTERRUPT_COALESCING = 0x08
export const FEATURE_INTERRUPT_VECTOR = 0x09
export const FEATURE_WRITE_ATOMICITY = 0x0a
export const FEATURE_ASYNC_EVENTS = 0x0b

/** Attribute changes of namespaces, in OAES and in the feature above. */
export const EVENT_NAMESPACE_CHANGED = 1 << 8
/** The SMART warnings that the feature above can turn on: all of them. */
export const EVENT_SMART = 0x1f

/** Which value Get Features returns. */
export const SELECT_CURRENT = 0
export const SELECT_DEFAULT = 1
export const SELECT_SAVED = 2
export const SELECT_SUPPORTED = 3
