// Every block of metadata begins with this header; offsets in bytes, numbers little-endian. FORMAT.md has the tables.
export const BLOCK_MAGIC = 0x6d66_6b70 // "pkfm"
export const BLOCK_HEADER = 32
export const AT_MAGIC = 0
export const AT_CRC = 4
export const AT_TYPE = 8
export const AT_SELF = 12
export const AT_OWNER = 16
export const AT_INDEX = 20
/** First 8 bytes of the volume's uuid: a block of an image that was here before is not taken for one of this. */
export const AT_VOLUME = 24

export const TYPE_CHECKPOINT = 2
export const TYPE_BITMAP = 3
export const TYPE_CHECKSUMS = 4
export const TYPE_INODES = 5
export const TYPE_LEAF = 6
export const TYPE_INDEX = 7
export const TYPE_DIRECTORY = 8
export const TYPE_SNAPSHOT = 9
export const TYPE_RECORD = 10

/** The `self` of a checkpoint block, and the target of a change to the root: it has no one place. */
export const ROOT = 0xffff_ffff

// Kinds of inodes.
export const FREE = 0
export const FILE = 1
export const DIRECTORY = 2
export const TABLE = 3

export const TABLE_INODE = 0
export const ROOT_INODE = 1
export const INODE_SIZE = 256

/** Logical clusters of a file are numbered in 32 bits, and so are the clusters of a volume. */
export const MAX_LOGICAL = 0xffff_fff0
export const MAX_CLUSTERS = 0xffff_fff0
export const MIN_CLUSTER = 1024
export const MAX_CLUSTER = 65_536
export const MAX_SNAPSHOTS = 31
export const MIN_JOURNAL = 48
/** Version of this kind of image. */
export const FILES_VERSION = 1
