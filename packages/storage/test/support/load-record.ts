/** The record that the load appends with a sequence: anybody can tell whether it is whole. */
export function loadRecord(sequence: number): Uint8Array {
  const bytes = new Uint8Array(16 + ((sequence * 7919) % 3000))
  for (let i = 0; i < bytes.length; i++) bytes[i] = (sequence * 31 + i * 7) & 255
  return bytes
}
