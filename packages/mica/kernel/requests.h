/* One request in full; src/typescript/{items,writes,request,counter}.ts explain it. */

#define NOWHERE 0xffffffffu

INLINE u32 item_units(u32 extended, u32 key_length, u32 value_length) {
  return (extended ? 4 : 2) + ((key_length + 7) >> 3) + ((value_length + 7) >> 3);
}
INLINE u32 is_extended(const u32 *item) { return (item[ITEM_SIZE] & SIZE_EXTENDED) != 0; }
INLINE u32 value_of(const u32 *item) { return (u32)item + header_bytes(item) + pad(*item & 0xff); }
INLINE double expiry_of(const u32 *item) { return is_extended(item) ? *(const double *)(item + ITEM_EXPIRY) : 0; }
INLINE u32 flags_of(const u32 *item) { return is_extended(item) ? item[ITEM_FLAGS] : 0; }
INLINE u32 is_old(store_t *s, u32 position) {
  return !s->lossless && s->tail - position > s->move_distance;
}

INLINE void write_extension(u32 *item, double expires_at, u32 flags) {
  *(double *)(item + ITEM_EXPIRY) = expires_at;
  item[ITEM_FLAGS] = flags;
  item[ITEM_FLAGS + 1] = 0;
}

INLINE void stamp_version(store_t *s, u32 *item) {
  u32 lo = s->version_lo + 1;
  s->version_lo = lo;
  if (lo == 0) s->version_hi++;
  item[ITEM_VERSION_LO] = lo;
  item[ITEM_VERSION_HI] = s->version_hi;
}

INLINE u32 plain_fit(store_t *s, const u32 *item, u32 key_length, u32 value_length, u32 most, u32 flags,
                     double expires_at) {
  u32 units = item_units(0, key_length, value_length), size = item[ITEM_SIZE] & SIZE_MASK;
  return value_length <= most && units <= size && flags == 0 && expires_at == 0 && !(s->lossless && units * 2 <= size);
}

INLINE u32 reserve(store_t *s, u32 units) { return s->lossless ? allocate_block(s, units) : reserve_log(s, units); }
INLINE void commit(store_t *s, u32 position, u32 units) { if (!s->lossless) commit_log(s, position, units); }
INLINE void retire(store_t *s, u32 position) { if (!s->lossless) item_at(s, position)[ITEM_SIZE] |= SIZE_DEAD; }
INLINE void release(store_t *s, u32 position) { if (s->lossless) free_block(s, position); }
INLINE void write_size(store_t *s, u32 *item, u32 units, u32 extended) {
  u32 size = s->lossless ? item[ITEM_SIZE] & (SIZE_MASK | SIZE_PREVIOUS_FREE) : units;
  item[ITEM_SIZE] = extended ? size | SIZE_EXTENDED : size;
}

NOINLINE void remove_item(store_t *s, u32 *bucket, u32 *slot, u32 counter) {
  u32 position = slot[SLOT_POSITION];
  clear_slot(s, bucket, slot);
  retire(s, position);
  release(s, position);
  s->counters[counter]++;
}

INLINE u32 wants_extension(const batch_t *b, u32 i) { return b->expires_at[i] != 0 || b->flags[i] != 0; }

INLINE void write_request(store_t *s, const batch_t *b, u32 i, u32 *item, u32 extended) {
  u32 key_length = b->key_length[i], value_length = b->value_length[i];
  u32 key = (u32)item + (extended ? 32 : 16);
  *item = key_length | value_length << 8;
  stamp_version(s, item);
  if (extended) write_extension(item, b->expires_at[i], b->flags[i]);
  copy_in(key, b->key_address[i], key_length);
  copy_in(key + pad(key_length), b->value_address[i], value_length);
}

INLINE void respond_version(const batch_t *b, u32 i, const u32 *item) {
  b->version_lo[i] = item[ITEM_VERSION_LO];
  b->version_hi[i] = item[ITEM_VERSION_HI];
}

NOINLINE u32 insert_item(store_t *s, u32 base, u32 i, u32 *bucket, u32 tag) {
  const batch_t columns = open_batch(base), *b = &columns;
  u32 extended = wants_extension(b, i), units = item_units(extended, b->key_length[i], b->value_length[i]);
  u32 position = reserve(s, units);
  if (position == NOWHERE) return RESULT_NO_SPACE;
  u32 *slot = s->lossless ? claim_chained(s, bucket) : claim_lossy(s, bucket);
  if (slot == 0) {
    release(s, position);
    return RESULT_INDEX_FULL;
  }
  u32 *item = item_at(s, position);
  write_size(s, item, units, extended);
  write_request(s, b, i, item, extended);
  commit(s, position, units);
  set_slot(s, bucket, slot, tag, position);
  s->counters[C_INSERTS]++;
  respond_version(b, i, item);
  return RESULT_OK;
}

NOINLINE u32 overwrite_item(store_t *s, u32 base, u32 i, u32 *bucket, u32 *slot) {
  const batch_t columns = open_batch(base), *b = &columns;
  u32 extended = wants_extension(b, i), units = item_units(extended, b->key_length[i], b->value_length[i]);
  u32 old = slot[SLOT_POSITION], *item = item_at(s, old);
  if (units <= (item[ITEM_SIZE] & SIZE_MASK) && !is_old(s, old)) {
    lock_bucket(s, bucket);
    item[ITEM_SIZE] = (item[ITEM_SIZE] & ~SIZE_EXTENDED) | (extended ? SIZE_EXTENDED : 0);
    write_request(s, b, i, item, extended);
    unlock_bucket(s, bucket);
    if (s->lossless && units * 2 <= (item[ITEM_SIZE] & SIZE_MASK)) shrink_block(s, old, units);
    s->counters[C_SETS_IN_PLACE]++;
  } else {
    retire(s, old);
    u32 position = reserve(s, units);
    if (position == NOWHERE) return RESULT_NO_SPACE;
    item = item_at(s, position);
    write_size(s, item, units, extended);
    write_request(s, b, i, item, extended);
    commit(s, position, units);
    set_slot(s, bucket, slot, *slot, position);
    release(s, old);
    s->counters[C_SETS_MOVED]++;
  }
  respond_version(b, i, item);
  return RESULT_OK;
}

NOINLINE u32 rewrite_item(store_t *s, u32 base, u32 i, u32 *bucket, u32 *slot, u32 leading, u32 trailing,
                          double expires_at, u32 flags, u32 stamp) {
  const batch_t columns = open_batch(base), *b = &columns;
  u32 old = slot[SLOT_POSITION], *old_item = item_at(s, old), key_length = b->key_length[i];
  u32 value_length = *old_item >> 8, new_length = leading + value_length + trailing;
  if (new_length > s->max_value) return RESULT_VALUE_TOO_LARGE;
  u32 extended = expires_at != 0 || flags != 0, units = item_units(extended, key_length, new_length);
  u32 version_lo = old_item[ITEM_VERSION_LO], version_hi = old_item[ITEM_VERSION_HI], old_value = value_of(old_item);
  u32 in_place =
      extended == is_extended(old_item) && units <= (old_item[ITEM_SIZE] & SIZE_MASK) && !is_old(s, old);
  u32 position = old;
  if (in_place) lock_bucket(s, bucket);
  else {
    retire(s, old);
    position = reserve(s, units);
    if (position == NOWHERE) return RESULT_NO_SPACE;
  }
  u32 *item = item_at(s, position);
  u32 key = (u32)item + (extended ? 32 : 16), value = key + pad(key_length);
  __builtin_memmove((void *)(value + leading), (const void *)old_value, value_length);
  for (u32 at = value + new_length; at < value + pad(new_length); at++) *(u8 *)at = 0;
  if (leading != 0) __builtin_memcpy((void *)value, (const void *)b->value_address[i], leading);
  if (trailing != 0) __builtin_memcpy((void *)(value + value_length), (const void *)b->value_address[i], trailing);
  *item = key_length | new_length << 8;
  if (extended) write_extension(item, expires_at, flags);
  if (in_place) {
    if (stamp) stamp_version(s, item);
    unlock_bucket(s, bucket);
  } else {
    write_size(s, item, units, extended);
    copy_in(key, b->key_address[i], key_length);
    item[ITEM_VERSION_LO] = version_lo;
    item[ITEM_VERSION_HI] = version_hi;
    if (stamp) stamp_version(s, item);
    commit(s, position, units);
    set_slot(s, bucket, slot, *slot, position);
    release(s, old);
  }
  if (stamp) {
    s->counters[in_place ? C_SETS_IN_PLACE : C_SETS_MOVED]++;
    respond_version(b, i, item);
  }
  return RESULT_OK;
}

INLINE u32 takes_value(u32 op) {
  return (op >= OP_SET && op <= OP_REPLACE) || op == OP_CAS || op == OP_APPEND || op == OP_PREPEND;
}
INLINE u32 returns_value(u32 op) {
  return op == OP_GET || op == OP_GET_AND_TOUCH || op == OP_INCREMENT || op == OP_DECREMENT;
}

INLINE void describe(const batch_t *b, u32 i, const u32 *item) {
  respond_version(b, i, item);
  b->response_flags[i] = flags_of(item);
  b->response_expires_at[i] = expiry_of(item);
  b->response_length[i] = *item >> 8;
  b->stored_address[i] = value_of(item);
}

NOINLINE void refresh(store_t *s, u32 base, u32 i, u32 *bucket, u32 *slot) {
  const batch_t columns = open_batch(base), *b = &columns;
  u32 position = slot[SLOT_POSITION];
  if (!is_old(s, position)) return;
  u32 *item = item_at(s, position);
  rewrite_item(s, (u32)b->base, i, bucket, slot, 0, 0, expiry_of(item), flags_of(item), 0);
  s->counters[C_MOVED_TO_HEAD]++;
}

INLINE u32 touch(store_t *s, const batch_t *b, u32 i, u32 *bucket, u32 *slot, u32 *item) {
  double expires_at = b->expires_at[i];
  if (is_extended(item)) {
    lock_bucket(s, bucket);
    write_extension(item, expires_at, item[ITEM_FLAGS]);
    unlock_bucket(s, bucket);
  } else if (expires_at != 0) return rewrite_item(s, (u32)b->base, i, bucket, slot, 0, 0, expires_at, 0, 0);
  refresh(s, (u32)b->base, i, bucket, slot);
  return RESULT_OK;
}

INLINE void add_counter(store_t *s, const batch_t *b, u32 i, u32 *bucket, u32 *item, u32 subtract) {
  u32 at = value_of(item);
  u64 value = load64(at), delta = b->operand_lo[i] | (u64)b->operand_hi[i] << 32;
  lock_bucket(s, bucket);
  store64(at, !subtract ? value + delta : value > delta ? value - delta : 0);
  stamp_version(s, item);
  unlock_bucket(s, bucket);
}

INLINE u32 run_present(store_t *s, const batch_t *b, u32 i, u32 op, u32 *bucket, u32 *slot) {
  u32 *item = item_at(s, slot[SLOT_POSITION]);
  switch (op) {
    case OP_SET:
    case OP_REPLACE:
      return overwrite_item(s, (u32)b->base, i, bucket, slot);
    case OP_ADD:
      return RESULT_EXISTS;
    case OP_DELETE:
      remove_item(s, bucket, slot, C_DELETES);
      return RESULT_OK;
    case OP_CAS:
      if (item[ITEM_VERSION_LO] != b->operand_lo[i] || item[ITEM_VERSION_HI] != b->operand_hi[i]) {
        describe(b, i, item);
        b->response_length[i] = 0;
        return RESULT_EXISTS;
      }
      return overwrite_item(s, (u32)b->base, i, bucket, slot);
    case OP_APPEND:
      return rewrite_item(s, (u32)b->base, i, bucket, slot, 0, b->value_length[i], expiry_of(item), flags_of(item), 1);
    case OP_PREPEND:
      return rewrite_item(s, (u32)b->base, i, bucket, slot, b->value_length[i], 0, expiry_of(item), flags_of(item), 1);
    case OP_TOUCH:
    case OP_GET_AND_TOUCH: {
      u32 result = touch(s, b, i, bucket, slot, item);
      if (result != RESULT_OK) return result;
      break;
    }
    case OP_INCREMENT:
    case OP_DECREMENT:
      if (*item >> 8 != 8) return RESULT_NOT_A_COUNTER;
      refresh(s, (u32)b->base, i, bucket, slot);
      add_counter(s, b, i, bucket, item_at(s, slot[SLOT_POSITION]), op == OP_DECREMENT);
      break;
    case OP_GET:
      refresh(s, (u32)b->base, i, bucket, slot);
  }
  describe(b, i, item_at(s, slot[SLOT_POSITION]));
  if (op == OP_TOUCH) b->response_length[i] = 0;
  return RESULT_OK;
}

/* Writes all response columns but result and response_address; returns the result. */
NOINLINE u32 run_request(store_t *s, u32 base, u32 i) {
  const batch_t columns = open_batch(base), *b = &columns;
  u32 op = b->opcode[i];
  b->response_length[i] = 0;
  b->version_lo[i] = 0;
  b->version_hi[i] = 0;
  b->response_flags[i] = 0;
  b->response_expires_at[i] = 0;
  b->stored_address[i] = 0;
  if (op == OP_NOOP) return RESULT_OK;
  if (op > OP_TEST) return RESULT_UNKNOWN_OPCODE;
  if (b->key_length[i] - 1 >= MAX_KEY_BYTES) return RESULT_BAD_KEY;
  if (takes_value(op) && b->value_length[i] > s->max_value) return RESULT_VALUE_TOO_LARGE;

  u32 *bucket = bucket_at(s, b->hash_lo[i], b->hash_hi[i]), tag = tag_of(b->hash_lo[i]);
  u32 *slot = find_slot(s, bucket, tag, b->key_address[i], b->key_length[i]);
  if (slot != 0) {
    double expires_at = expiry_of(item_at(s, slot[SLOT_POSITION]));
    if (expires_at == 0 || expires_at > b->now) return run_present(s, b, i, op, bucket, slot);
    remove_item(s, bucket, slot, C_EXPIRED);
  }
  return op == OP_SET || op == OP_ADD ? insert_item(s, (u32)b->base, i, bucket, tag) : RESULT_NOT_FOUND;
}
