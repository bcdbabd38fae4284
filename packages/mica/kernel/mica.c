/* The batch kernel in C, for WebAssembly on the partition's shared memory. It does what src/typescript does, and
 * leaves the same bytes behind; read that for the reasons. It has no data and no stack in linear memory: all of the
 * memory belongs to the caller (the build checks it). Addresses are pointers as they are. */
#include <wasm_simd128.h>

#include "layout.h"

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))
#define EXPORT(name) __attribute__((export_name(name)))

#include "views.h"
#include "bytes.h"
#include "circular_log.h"
#include "segregated_fit.h"
#include "bucket_index.h"
#include "requests.h"

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
