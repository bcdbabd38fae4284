/**
 * Where everything lies inside a partition's window. All state is in this memory and nowhere else, so that the
 * TypeScript kernel, the WASM kernel, a reader in another thread and a view of the counters share one truth.
 * `kernel/mica.c` repeats these numbers.
 *
 * Addresses are absolute byte addresses in the `WebAssembly.Memory`; "units" are 8 bytes.
 */

export const MAGIC = 0x4143494d // "MICA", little-endian
export const LAYOUT_VERSION = 1

/** Bytes of the header at the start of the window. */
export const HEADER_BYTES = 2048

// Words (u32) of the header that never change after creation.
export const H_MAGIC = 0
export const H_LAYOUT = 1
/** 0 cache, 1 store. */
export const H_MODE = 2
/** 0 EREW, 1 CREW. */
export const H_CREW = 3
export const H_BUCKET_MASK = 4
/** Address of the first main bucket, 64-byte aligned. */
export const H_INDEX = 5
/** Address of spare bucket 1; spare bucket n lies at H_SPARE + 64 (n - 1). */
export const H_SPARE = 6
export const H_SPARE_COUNT = 7
/** Address of the log or heap. */
export const H_DATA = 8
/** Its size in units; a power of two in cache mode. */
export const H_DATA_UNITS = 9
/** Position -> unit within the data area: the log's mask in cache mode, all ones in store mode. */
export const H_POSITION_MASK = 10
/** An item whose distance to the tail (units) is larger moves to the head of the log when it is used. */
export const H_MOVE_DISTANCE = 11
export const H_MAX_VALUE = 12
/** Units of log growth for each bucket that is swept of stale entries. */
export const H_SWEEP_STEP = 13
/** Cache lines behind an item's first that `prepare` touches. */
export const H_TOUCH_LINES = 14
/**
 * Its limit: beyond four lines the hardware's own stream prefetcher has taken over (more was slower at 1 KiB values).
 * The window ends this many lines and one behind the data, because the last item is touched too.
 */
export const MOST_TOUCH_LINES = 3

// Words that change; a cache line of their own.
/**
 * Head and tail of the log as positions: units ever appended, modulo 2^32. An item is live iff
 * `(tail - position) mod 2^32 <= (tail - head) mod 2^32`. In store mode head is 1 and tail 0, so that the right side is
 * 2^32 - 1 and every position passes: one test serves both modes.
 */
export const H_HEAD = 16
export const H_TAIL = 17
/** The last version given out, 64 bits. */
export const H_VERSION_LO = 18
export const H_VERSION_HI = 19
export const H_SWEEP_CURSOR = 20
/** Tail at which the last bucket was swept. */
export const H_SWEEP_TAIL = 21
/** Free spare buckets: 1-based head of a list through their `next` words; 0 = none. */
export const H_SPARE_FREE = 22
/** Spare buckets from this one (1-based) on were never used. */
export const H_SPARE_NEXT = 23
/** Store mode: units in free blocks. */
export const H_FREE_UNITS = 24

/** Byte offset of the counters (Float64) in the header. */
export const COUNTERS_OFFSET = 256
/** Byte offset of the free-list heads (u32 unit + 1; 0 = empty) in the header. */
export const FREE_LISTS_OFFSET = 1024
export const FREE_LISTS = 128
/** Byte offset of the bitmap of non-empty free lists (4 words). */
export const FREE_BITMAP_OFFSET = FREE_LISTS_OFFSET + 4 * FREE_LISTS

// A bucket: one cache line of 16 words: version, next spare bucket (1-based, 0 = none), 7 tags, 7 positions.
export const BUCKET_BYTES = 64
export const BUCKET_WORDS = 16
export const BUCKET_SLOTS = 7
export const BUCKET_VERSION = 0
export const BUCKET_NEXT = 1
export const BUCKET_TAGS = 2
/** From a slot's tag word to its position word: as far as there are slots. */
export const SLOT_POSITION = 7

// An item: 4 words, an optional extension of 16 bytes, the key and the value, each padded with zeros to 8 bytes.
export const ITEM_HEADER_BYTES = 16
export const ITEM_EXTENSION_BYTES = 16
/** Word 0: key length in the low 8 bits (0: filler or free block), value length in the high 24. */
export const ITEM_LENGTHS = 0
/** Word 1: block size in units in the low 28 bits, flags above. */
export const ITEM_SIZE = 1
/** Words 2 and 3: version. */
export const ITEM_VERSION_LO = 2
export const ITEM_VERSION_HI = 3
/** Words 4 and 5: expiry, a Float64 in ms; word 6: flags; word 7: zero. Only with SIZE_EXTENDED. */
export const ITEM_FLAGS = 6

export const SIZE_MASK = 0x0fffffff
/** The item carries the extension (expiry, flags). */
export const SIZE_EXTENDED = 0x10000000
/** Cache mode: no longer referred to by the index, so its eviction from the log loses nothing. */
export const SIZE_DEAD = 0x20000000
/** Store mode: a free block. */
export const SIZE_FREE = 0x40000000
/** Store mode: the block before this one is free, and its size stands in the word before this block. */
export const SIZE_PREVIOUS_FREE = 0x80000000 | 0

export const MAX_KEY_BYTES = 255
export const MAX_VALUE_BYTES = 1 << 20

/** Store mode: the smallest block; a remainder that is smaller stays with the item. */
export const MIN_BLOCK_UNITS = 3
