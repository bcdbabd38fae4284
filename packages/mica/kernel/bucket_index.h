/* The index; src/typescript/bucket-index.ts explains it. */

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
