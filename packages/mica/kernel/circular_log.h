/* CREW's marks and the circular log; src/typescript/{seqlock,circular-log}.ts explain them. */

INLINE void lock_bucket(store_t *s, u32 *bucket) {
  if (!s->crew) return;
  __atomic_store_n(bucket + BUCKET_VERSION, bucket[BUCKET_VERSION] + 1, __ATOMIC_SEQ_CST);
  (void)__atomic_load_n((volatile u32 *)bucket + BUCKET_VERSION, __ATOMIC_SEQ_CST);
}

INLINE void unlock_bucket(store_t *s, u32 *bucket) {
  if (s->crew) __atomic_store_n(bucket + BUCKET_VERSION, bucket[BUCKET_VERSION] + 1, __ATOMIC_SEQ_CST);
}

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
