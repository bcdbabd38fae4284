/* The heap of store mode; src/typescript/segregated-fit.ts explains it. */

INLINE u32 *block_at(store_t *s, u32 unit) { return s->data + unit * 2; }
INLINE u32 list_of(u32 units) {
  if (units < 35) return units - MIN_BLOCK_UNITS;
  u32 power = 31 - __builtin_clz(units);
  return 32 + (power - 5) * 4 + (units >> (power - 2) & 3);
}

/* Words 2 and 3 of a free block: next and previous in its list (unit + 1, 0 = none). */
NOINLINE void insert_free(store_t *s, u32 unit, u32 size) {
  u32 *block = block_at(s, unit);
  u32 list = list_of(size), next = s->free_lists[list];
  block[ITEM_LENGTHS] = 0;
  block[ITEM_SIZE] = size | SIZE_FREE;
  block[2] = next;
  block[3] = 0;
  block[size * 2 - 1] = size;
  block[size * 2 + ITEM_SIZE] |= SIZE_PREVIOUS_FREE;
  if (next != 0) block_at(s, next - 1)[3] = unit + 1;
  s->free_lists[list] = unit + 1;
  s->free_bitmap[list >> 5] |= 1u << (list & 31);
}

NOINLINE void remove_free(store_t *s, u32 unit) {
  u32 *block = block_at(s, unit);
  u32 next = block[2], previous = block[3];
  if (next != 0) block_at(s, next - 1)[3] = previous;
  if (previous != 0) block_at(s, previous - 1)[2] = next;
  else {
    u32 list = list_of(block[ITEM_SIZE] & SIZE_MASK);
    s->free_lists[list] = next;
    if (next == 0) s->free_bitmap[list >> 5] &= ~(1u << (list & 31));
  }
}

INLINE u32 find_free(store_t *s, u32 units) {
  u32 own = list_of(units), candidate = s->free_lists[own];
  if (units < 35 && candidate != 0) return candidate - 1;
  for (u32 from = own + 1, word = from >> 5; word < FREE_LISTS / 32; word++) {
    u32 bits = s->free_bitmap[word];
    if (word == from >> 5) bits &= 0xffffffffu << (from & 31);
    if (bits != 0) return s->free_lists[word * 32 + __builtin_ctz(bits)] - 1;
  }
  while (candidate != 0) {
    u32 *block = block_at(s, candidate - 1);
    if ((block[ITEM_SIZE] & SIZE_MASK) >= units) return candidate - 1;
    candidate = block[2];
  }
  return 0xffffffffu;
}

NOINLINE u32 allocate_block(store_t *s, u32 units) {
  u32 wanted = units < MIN_BLOCK_UNITS ? MIN_BLOCK_UNITS : units;
  u32 unit = find_free(s, wanted);
  if (unit == 0xffffffffu) return unit;
  remove_free(s, unit);
  u32 *block = block_at(s, unit);
  u32 size = block[ITEM_SIZE] & SIZE_MASK, taken = size;
  if (size - wanted >= MIN_BLOCK_UNITS) {
    taken = wanted;
    insert_free(s, unit + wanted, size - wanted);
  } else block_at(s, unit + size)[ITEM_SIZE] &= ~SIZE_PREVIOUS_FREE;
  block[ITEM_SIZE] = taken;
  s->free_units -= taken;
  return unit;
}

NOINLINE void free_block(store_t *s, u32 unit) {
  u32 first = unit, tag = block_at(s, unit)[ITEM_SIZE], size = tag & SIZE_MASK;
  s->free_units += size;
  u32 behind = unit + size, tag_behind = block_at(s, behind)[ITEM_SIZE];
  if (tag_behind & SIZE_FREE) {
    remove_free(s, behind);
    size += tag_behind & SIZE_MASK;
  }
  if (tag & SIZE_PREVIOUS_FREE) {
    u32 before = *(block_at(s, unit) - 1);
    first = unit - before;
    remove_free(s, first);
    size += before;
  }
  insert_free(s, first, size);
}

INLINE void shrink_block(store_t *s, u32 unit, u32 units) {
  u32 keep = units < MIN_BLOCK_UNITS ? MIN_BLOCK_UNITS : units;
  u32 *block = block_at(s, unit);
  u32 size = block[ITEM_SIZE] & SIZE_MASK;
  if (size - keep < MIN_BLOCK_UNITS || size < keep) return;
  block[ITEM_SIZE] = (block[ITEM_SIZE] & ~SIZE_MASK) | keep;
  block_at(s, unit + keep)[ITEM_SIZE] = size - keep;
  free_block(s, unit + keep);
}
