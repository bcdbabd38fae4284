/* Loads, copies and compares; src/typescript/bytes.ts. */

INLINE u64 load64(u32 address) { u64 v; __builtin_memcpy(&v, (const void *)address, 8); return v; }
INLINE u32 load32(u32 address) { u32 v; __builtin_memcpy(&v, (const void *)address, 4); return v; }
INLINE u32 load16(u32 address) { u16 v; __builtin_memcpy(&v, (const void *)address, 2); return v; }
INLINE u32 load8(u32 address) { return *(const u8 *)address; }
INLINE void store64(u32 address, u64 v) { __builtin_memcpy((void *)address, &v, 8); }
INLINE u32 pad(u32 length) { return (length + 7) & ~7u; }

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
