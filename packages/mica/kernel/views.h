/* Where the columns of a batch and the parts of a partition lie. */

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
