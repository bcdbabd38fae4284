/* The memory contract of a partition; src/layout.ts, src/request-batch.ts, src/statistics.ts and src/operations.ts say
 * what the numbers mean. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;

enum { FREE_LISTS = 128 };
enum { BUCKET_WORDS = 16, BUCKET_SLOTS = 7, BUCKET_VERSION = 0, BUCKET_NEXT = 1, BUCKET_TAGS = 2, SLOT_POSITION = 7 };
enum { ITEM_LENGTHS = 0, ITEM_SIZE = 1, ITEM_VERSION_LO = 2, ITEM_VERSION_HI = 3, ITEM_EXPIRY = 4, ITEM_FLAGS = 6 };

#define SIZE_MASK 0x0fffffffu
#define SIZE_EXTENDED 0x10000000u
#define SIZE_DEAD 0x20000000u
#define SIZE_FREE 0x40000000u
#define SIZE_PREVIOUS_FREE 0x80000000u
#define MAX_KEY_BYTES 255u
#define MIN_BLOCK_UNITS 3u

enum { B_CAPACITY = 0, B_COUNT = 1, B_OUT_END = 2, B_STOP_WHEN_FULL = 3, B_NOW_OFFSET = 16, BATCH_HEADER_BYTES = 64, COLUMN_GAP = 64 };

enum {
  C_REQUESTS = 0, C_HITS = 1, C_MISSES = 2, C_SETS_IN_PLACE = 3, C_SETS_MOVED = 4, C_INSERTS = 5, C_DELETES = 6,
  C_INDEX_EVICTIONS = 7, C_LOG_EVICTIONS = 8, C_EXPIRED = 9, C_MOVED_TO_HEAD = 10, C_STALE_CLEARED = 11,
  C_STALE_SWEPT = 12, C_REFUSED = 16, C_HASH_MISMATCHES = 26, C_SPARE_BUCKETS = 27,
};

enum {
  OP_NOOP = 0, OP_GET, OP_SET, OP_ADD, OP_REPLACE, OP_DELETE, OP_CAS, OP_INCREMENT, OP_DECREMENT, OP_APPEND,
  OP_PREPEND, OP_TOUCH, OP_GET_AND_TOUCH, OP_TEST,
};
enum {
  RESULT_OK = 0, RESULT_NOT_FOUND, RESULT_EXISTS, RESULT_NO_SPACE, RESULT_INDEX_FULL, RESULT_BAD_KEY,
  RESULT_VALUE_TOO_LARGE, RESULT_NO_ROOM, RESULT_NOT_A_COUNTER, RESULT_UNKNOWN_OPCODE,
};

/* The columns of a batch. */
typedef struct {
  u32 *base;
  double now, *expires_at, *response_expires_at;
  u32 *opcode, *hash_lo, *hash_hi, *key_address, *key_length, *value_address, *value_length, *flags, *operand_lo,
      *operand_hi, *result, *response_address, *response_length, *version_lo, *version_hi, *response_flags,
      *stored_address, *hint;
} batch_t;

/* The header of a partition, where it lies. Pointers are 32 bits, as in the memory. */
typedef struct {
  u32 magic, layout, lossless, crew, bucket_mask;
  u32 *index, *spare;
  u32 spare_count;
  u32 *data;
  u32 data_units, position_mask, move_distance, max_value, sweep_step, touch_lines, unused_15;
  u32 head, tail, version_lo, version_hi, sweep_cursor, sweep_tail, spare_free, spare_next, free_units;
  u32 unused_25[39];
  double counters[32];
  u32 unused_128[128];
  u32 free_lists[FREE_LISTS];
  u32 free_bitmap[FREE_LISTS / 32];
} store_t;

_Static_assert(__builtin_offsetof(store_t, head) == 64 && __builtin_offsetof(store_t, counters) == 256 &&
                   __builtin_offsetof(store_t, free_lists) == 1024 && sizeof(u32 *) == 4,
               "store_t is src/layout.ts");
