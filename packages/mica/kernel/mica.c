/* The batch kernel in C, for WebAssembly on the partition's shared memory. It does what src/typescript does, and
 * leaves the same bytes behind; read that for the reasons. It has no data and no stack in linear memory: all of the
 * memory belongs to the caller (the build checks it). Addresses are pointers as they are. */
#include <wasm_simd128.h>

#include "layout.h"

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))
#define EXPORT(name) __attribute__((export_name(name)))

INLINE u64 load64(u32 address) { u64 v; __builtin_memcpy(&v, (const void *)address, 8); return v; }
INLINE u32 load32(u32 address) { u32 v; __builtin_memcpy(&v, (const void *)address, 4); return v; }
INLINE u32 load16(u32 address) { u16 v; __builtin_memcpy(&v, (const void *)address, 2); return v; }
INLINE u32 load8(u32 address) { return *(const u8 *)address; }
INLINE void store64(u32 address, u64 v) { __builtin_memcpy((void *)address, &v, 8); }
INLINE u32 pad(u32 length) { return (length + 7) & ~7u; }

/* --- views ------------------------------------------------------------------------------------------------------ */

/* Columns lie 64 bytes further apart than they are long, so that they do not all compete for one set of the cache. */
INLINE batch_t open_batch(u32 base) {
  u32 *h = (u32 *)base;
  u32 d = base + BATCH_HEADER_BYTES, w = d + 2 * (8 * h[B_CAPACITY] + COLUMN_GAP), n = 4 * h[B_CAPACITY] + COLUMN_GAP;
  batch_t b = {
      .base = h, .now = *(double *)(base + B_NOW_OFFSET), .expires_at = (double *)d,
      .response_expires_at = (double *)(d + 8 * h[B_CAPACITY] + COLUMN_GAP),
      .opcode = (u32 *)w, .hash_lo = (u32 *)(w + n), .hash_hi = (u32 *)(w + 2 * n), .key_address = (u32 *)(w + 3 * n),
      .key_length = (u32 *)(w + 4 * n), .value_address = (u32 *)(w + 5 * n), .value_length = (u32 *)(w + 6 * n),
      .flags = (u32 *)(w + 7 * n), .operand_lo = (u32 *)(w + 8 * n), .operand_hi = (u32 *)(w + 9 * n),
      .result = (u32 *)(w + 10 * n), .response_address = (u32 *)(w + 11 * n), .response_length = (u32 *)(w + 12 * n),
      .version_lo = (u32 *)(w + 13 * n), .version_hi = (u32 *)(w + 14 * n), .response_flags = (u32 *)(w + 15 * n),
      .stored_address = (u32 *)(w + 16 * n), .hint = (u32 *)(w + 17 * n),
  };
  return b;
}

INLINE u32 *item_at(store_t *s, u32 position) { return s->data + ((position & s->position_mask) << 1); }
INLINE u32 tag_of(u32 hash_lo) { return (hash_lo & 0x03ffffffu) | 0x80000000u; }
INLINE u32 *bucket_at(store_t *s, u32 lo, u32 hi) {
  return s->index + (((lo >> 26) | (hi << 6)) & s->bucket_mask) * BUCKET_WORDS;
}
INLINE u32 *spare_at(store_t *s, u32 number) { return s->spare + (number - 1) * BUCKET_WORDS; }

/* --- bytes ------------------------------------------------------------------------------------------------------ */

/* The 1..7 bytes at an address as a zero-padded little-endian word. */
INLINE u64 load_tail(u32 from, u32 rest) {
  u64 v = 0;
  u32 shift = 0;
  if (rest & 4) { v = load32(from); from += 4; shift = 32; }
  if (rest & 2) { v |= (u64)load16(from) << shift; from += 2; shift += 16; }
  if (rest & 1) v |= (u64)load8(from) << shift;
  return v;
}

INLINE void copy_units(u32 to, u32 from, u32 bytes) {
  u32 end = from + bytes;
  for (; from + 16 <= end; from += 16, to += 16) wasm_v128_store((void *)to, wasm_v128_load((const void *)from));
  if (from < end) store64(to, load64(from));
}

INLINE void copy_in(u32 to, u32 from, u32 length) {
  u32 whole = length & ~7u;
  if (whole > 256) __builtin_memcpy((void *)to, (const void *)from, whole);
  else copy_units(to, from, whole);
  if (length & 7) store64(to + whole, load_tail(from + whole, length & 7));
}

INLINE void copy_out(u32 to, u32 from, u32 length) {
  u32 padded = pad(length);
  if (padded > 256) __builtin_memcpy((void *)to, (const void *)from, padded);
  else copy_units(to, from, padded);
}

INLINE u32 equal_keys(u32 stored, u32 address, u32 length) {
  u32 end = address + (length & ~7u);
  u64 difference = 0;
  for (; address < end; address += 8, stored += 8) difference |= load64(stored) ^ load64(address);
  if (length & 7) difference |= load64(stored) ^ load_tail(address, length & 7);
  return difference == 0;
}

/* --- CREW ------------------------------------------------------------------------------------------------------- */

INLINE void lock_bucket(store_t *s, u32 *bucket) {
  if (!s->crew) return;
  __atomic_store_n(bucket + BUCKET_VERSION, bucket[BUCKET_VERSION] + 1, __ATOMIC_SEQ_CST);
  (void)__atomic_load_n((volatile u32 *)bucket + BUCKET_VERSION, __ATOMIC_SEQ_CST);
}

INLINE void unlock_bucket(store_t *s, u32 *bucket) {
  if (s->crew) __atomic_store_n(bucket + BUCKET_VERSION, bucket[BUCKET_VERSION] + 1, __ATOMIC_SEQ_CST);
}

/* --- circular log ------------------------------------------------------------------------------------------------ */

INLINE u32 is_live(store_t *s, u32 position) {
  u32 tail = s->tail;
  return tail - position <= tail - s->head;
}

INLINE u32 reserve_log(store_t *s, u32 units) {
  u32 tail = s->tail, head = s->head;
  u32 at = tail & s->position_mask;
  u32 skip = at + units > s->data_units ? s->data_units - at : 0;
  u32 evicted = 0;
  while (tail - head + skip + units > s->data_units) {
    u32 size = item_at(s, head)[ITEM_SIZE];
    if ((size & SIZE_DEAD) == 0) evicted++;
    head += size & SIZE_MASK;
  }
  s->counters[C_LOG_EVICTIONS] += evicted;
  if (s->crew) {
    __atomic_store_n(&s->head, head, __ATOMIC_SEQ_CST);
    (void)__atomic_load_n((volatile u32 *)&s->head, __ATOMIC_SEQ_CST);
  } else s->head = head;
  return tail + skip;
}

INLINE void commit_log(store_t *s, u32 position, u32 units) {
  u32 tail = s->tail;
  if (tail != position) {
    u32 *filler = item_at(s, tail);
    filler[ITEM_LENGTHS] = 0;
    filler[ITEM_SIZE] = (position - tail) | SIZE_DEAD;
  }
  s->tail = position + units;
}

NOINLINE void sweep_stale(store_t *s) {
  u32 tail = s->tail, swept = s->sweep_tail, cursor = s->sweep_cursor;
  u32 step = s->sweep_step;
  while (tail - swept >= step) {
    u32 *bucket = s->index + cursor * BUCKET_WORDS;
    for (u32 *slot = bucket + BUCKET_TAGS; slot < bucket + BUCKET_TAGS + BUCKET_SLOTS; slot++) {
      if (*slot == 0 || is_live(s, slot[SLOT_POSITION])) continue;
      lock_bucket(s, bucket);
      *slot = 0;
      unlock_bucket(s, bucket);
      s->counters[C_STALE_SWEPT]++;
    }
    cursor = (cursor + 1) & s->bucket_mask;
    swept += step;
  }
  s->sweep_cursor = cursor;
  s->sweep_tail = swept;
}

/* --- segregated fit ---------------------------------------------------------------------------------------------- */

#include "segregated_fit.h"

/* --- index ------------------------------------------------------------------------------------------------------ */

INLINE u32 header_bytes(const u32 *item) { return item[ITEM_SIZE] & SIZE_EXTENDED ? 32 : 16; }

NOINLINE u32 *find_slot(store_t *s, u32 *bucket, u32 tag, u32 key_address, u32 key_length) {
  u32 *current = bucket;
  for (;;) {
    for (u32 *slot = current + BUCKET_TAGS; slot < current + BUCKET_TAGS + BUCKET_SLOTS; slot++) {
      if (*slot != tag) continue;
      u32 position = slot[SLOT_POSITION];
      if (!is_live(s, position)) {
        lock_bucket(s, bucket);
        *slot = 0;
        unlock_bucket(s, bucket);
        s->counters[C_STALE_CLEARED]++;
        continue;
      }
      u32 *item = item_at(s, position);
      if ((*item & 0xff) == key_length && equal_keys((u32)item + header_bytes(item), key_address, key_length)) return slot;
    }
    if (current[BUCKET_NEXT] == 0) return 0;
    current = spare_at(s, current[BUCKET_NEXT]);
  }
}

NOINLINE u32 *claim_lossy(store_t *s, u32 *bucket) {
  u32 tail = s->tail;
  u32 *oldest = bucket + BUCKET_TAGS;
  u32 oldest_age = 0;
  for (u32 *slot = bucket + BUCKET_TAGS; slot < bucket + BUCKET_TAGS + BUCKET_SLOTS; slot++) {
    if (*slot == 0) return slot;
    if (!is_live(s, slot[SLOT_POSITION])) {
      s->counters[C_STALE_SWEPT]++;
      return slot;
    }
    u32 age = tail - slot[SLOT_POSITION];
    if (age > oldest_age) {
      oldest_age = age;
      oldest = slot;
    }
  }
  item_at(s, oldest[SLOT_POSITION])[ITEM_SIZE] |= SIZE_DEAD;
  s->counters[C_INDEX_EVICTIONS]++;
  return oldest;
}

NOINLINE u32 *claim_chained(store_t *s, u32 *bucket) {
  u32 *current = bucket;
  for (;;) {
    for (u32 *slot = current + BUCKET_TAGS; slot < current + BUCKET_TAGS + BUCKET_SLOTS; slot++)
      if (*slot == 0) return slot;
    if (current[BUCKET_NEXT] == 0) break;
    current = spare_at(s, current[BUCKET_NEXT]);
  }
  u32 number = s->spare_free;
  if (number != 0) s->spare_free = spare_at(s, number)[BUCKET_NEXT];
  else {
    number = s->spare_next;
    if (number > s->spare_count) return 0;
    s->spare_next = number + 1;
  }
  u32 *spare = spare_at(s, number);
  for (u32 i = 0; i < BUCKET_WORDS; i++) spare[i] = 0;
  s->counters[C_SPARE_BUCKETS]++;
  current[BUCKET_NEXT] = number;
  return spare + BUCKET_TAGS;
}

NOINLINE void clear_slot(store_t *s, u32 *bucket, u32 *slot) {
  lock_bucket(s, bucket);
  if (s->lossless) {
    u32 *previous = 0, *current = bucket;
    while (current[BUCKET_NEXT] != 0) {
      previous = current;
      current = spare_at(s, current[BUCKET_NEXT]);
    }
    u32 *last = current + BUCKET_TAGS + BUCKET_SLOTS - 1;
    while (*last == 0) last--;
    slot[SLOT_POSITION] = last[SLOT_POSITION];
    *slot = *last;
    *last = 0;
    if (last == current + BUCKET_TAGS && previous != 0) {
      u32 number = previous[BUCKET_NEXT];
      previous[BUCKET_NEXT] = 0;
      current[BUCKET_NEXT] = s->spare_free;
      s->spare_free = number;
      s->counters[C_SPARE_BUCKETS]--;
    }
  } else *slot = 0;
  unlock_bucket(s, bucket);
}

INLINE void set_slot(store_t *s, u32 *bucket, u32 *slot, u32 tag, u32 position) {
  lock_bucket(s, bucket);
  slot[SLOT_POSITION] = position;
  *slot = tag;
  unlock_bucket(s, bucket);
}

#include "requests.h"

/* --- exports ---------------------------------------------------------------------------------------------------- */

/* A pass of loads and nothing else: a load holds its place in the core's window until its line is there, so the fewer
 * other instructions stand between, the more misses overlap. */
INLINE u32 touch_all(const u32 *addresses, u32 count, u32 offset) {
  u32 sink = 0, i = 0;
  for (; i + 4 <= count; i += 4)
    sink ^= load32(addresses[i] + offset) ^ load32(addresses[i + 1] + offset) ^ load32(addresses[i + 2] + offset) ^
            load32(addresses[i + 3] + offset);
  for (; i < count; i++) sink ^= load32(addresses[i] + offset);
  return sink;
}

EXPORT("prepare") u32 prepare(store_t *s, u32 base) {
  batch_t b = open_batch(base);
  u32 count = b.base[B_COUNT], lines = s->touch_lines;
  for (u32 i = 0; i < count; i++) b.stored_address[i] = (u32)bucket_at(s, b.hash_lo[i], b.hash_hi[i]);
  u32 sink = touch_all(b.stored_address, count, 0);
  for (u32 i = 0; i < count; i++) {
    u32 *tags = (u32 *)b.stored_address[i] + BUCKET_TAGS;
    v128_t tag = wasm_i32x4_splat((i32)tag_of(b.hash_lo[i]));
    /* Two loads cover the seven tags; the fourth is seen by both. */
    u32 found = wasm_i32x4_bitmask(wasm_i32x4_eq(wasm_v128_load(tags), tag)) |
                wasm_i32x4_bitmask(wasm_i32x4_eq(wasm_v128_load(tags + 3), tag)) << 3;
    if (found == 0) {
      b.hint[i] = 0;
      continue;
    }
    u32 *slot = tags + __builtin_ctz(found);
    b.hint[i] = (u32)slot >> 2;
    b.stored_address[i] = (u32)item_at(s, slot[SLOT_POSITION]);
  }
  for (u32 line = 0; line <= lines; line++) sink ^= touch_all(b.stored_address, count, line * 64);
  return sink;
}

EXPORT("execute") u32 execute(store_t *s, u32 base, u32 from, u32 to, u32 out, u32 limit, u32 gap) {
  batch_t b = open_batch(base);
  const u32 stop = b.base[B_STOP_WHEN_FULL], distance = s->move_distance, most = s->max_value;
  u32 tail = s->tail, live = tail - s->head;
  u32 cursor = out, hits = 0, misses = 0, in_place = 0, i = from;
  for (; i < to; i++) {
    const u32 op = b.opcode[i];
    if (stop && i != from && cursor + gap + (op == OP_INCREMENT || op == OP_DECREMENT ? 8 : 0) > limit) break;
    const u32 key_length = b.key_length[i];
    u32 *item = 0;
    if (b.hint[i] != 0 && (op == OP_GET || (op == OP_SET && !s->crew))) {
      const u32 *slot = (const u32 *)(b.hint[i] << 2);
      const u32 position = slot[SLOT_POSITION], age = tail - position;
      u32 *found = item_at(s, position);
      if (*slot == tag_of(b.hash_lo[i]) && age <= live && age <= distance && (*found & 0xff) == key_length &&
          (found[ITEM_SIZE] & SIZE_EXTENDED) == 0 && equal_keys((u32)found + 16, b.key_address[i], key_length))
        item = found;
    }
    u32 length = 0, result = RESULT_OK;
    if (item != 0 && op == OP_GET) {
      length = *item >> 8;
      b.version_lo[i] = item[ITEM_VERSION_LO];
      b.version_hi[i] = item[ITEM_VERSION_HI];
      b.response_flags[i] = 0;
      b.response_expires_at[i] = 0;
      b.response_length[i] = length;
      b.stored_address[i] = (u32)item + 16 + pad(key_length);
    } else if (item != 0 && plain_fit(s, item, key_length, b.value_length[i], most, b.flags[i], b.expires_at[i])) {
      const u32 value_length = b.value_length[i];
      stamp_version(s, item);
      *item = key_length | value_length << 8;
      copy_in((u32)item + 16 + pad(key_length), b.value_address[i], value_length);
      b.version_lo[i] = item[ITEM_VERSION_LO];
      b.version_hi[i] = item[ITEM_VERSION_HI];
      b.response_flags[i] = 0;
      b.response_expires_at[i] = 0;
      b.response_length[i] = 0;
      b.stored_address[i] = 0;
      in_place++;
    } else {
      result = run_request(s, base, i);
      tail = s->tail;
      live = tail - s->head;
      if (result == RESULT_OK && returns_value(op)) length = b.response_length[i];
    }

    const u32 address = cursor + gap, next = address + pad(length);
    b.response_address[i] = address;
    if (length != 0 && next + (stop ? 0 : gap * (to - i - 1)) > limit) {
      b.result[i] = result;
      if (stop && i != from) break;
      result = RESULT_NO_ROOM;
      cursor = address;
    } else {
      if (length != 0) copy_out(address, b.stored_address[i], length);
      cursor = next;
    }
    b.result[i] = result;
    if (op == OP_GET || op == OP_GET_AND_TOUCH || op == OP_TEST) {
      if (result == RESULT_NOT_FOUND) misses++;
      else if (result == RESULT_OK) hits++;
      else s->counters[C_REFUSED + result]++;
    } else if (result != RESULT_OK) s->counters[C_REFUSED + result]++;
  }
  s->counters[C_REQUESTS] += i - from;
  s->counters[C_HITS] += hits;
  s->counters[C_MISSES] += misses;
  s->counters[C_SETS_IN_PLACE] += in_place;
  b.base[B_OUT_END] = cursor;
  if (!s->lossless && s->tail - s->sweep_tail >= s->sweep_step) sweep_stale(s);
  return i;
}

INLINE u32 rotate(u32 v, u32 by) { return v << by | v >> (32 - by); }

EXPORT("rehash") void rehash(store_t *s, u32 base) {
  batch_t b = open_batch(base);
  u32 count = b.base[B_COUNT], wrong = 0;
  for (u32 i = 0; i < count; i++) {
    const u32 length = b.key_length[i];
    if (length - 1 >= MAX_KEY_BYTES) continue;
    u32 at = b.key_address[i], end = at + length;
    u32 lo = (length ^ 0x5bd1e995u) * 0x9e3779b1u, hi = (length + 0x27d4eb2fu) * 0x85ebca77u;
    while (at < end) {
      u32 word = at + 4 <= end ? load32(at) : (u32)load_tail(at, end - at);
      lo = rotate((lo ^ word) * 0x9e3779b1u, 13);
      hi = rotate((hi ^ rotate(word, 16)) * 0x85ebca77u, 17);
      at += 4;
    }
    lo += hi;
    hi += lo;
    lo = (lo ^ lo >> 16) * 0x85ebca6bu;
    lo = (lo ^ lo >> 13) * 0xc2b2ae35u;
    hi = (hi ^ hi >> 15) * 0x2c1b3c6du;
    hi = (hi ^ hi >> 12) * 0x297a2d39u;
    lo ^= hi >> 15;
    hi ^= lo >> 16;
    lo += hi;
    hi += lo;
    lo ^= lo >> 16;
    hi ^= hi >> 15;
    if (b.hash_lo[i] != lo || b.hash_hi[i] != hi) {
      b.hash_lo[i] = lo;
      b.hash_hi[i] = hi;
      wrong++;
    }
  }
  s->counters[C_HASH_MISMATCHES] += wrong;
}
