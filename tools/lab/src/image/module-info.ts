/** The strings `key=value` of a kernel module's `.modinfo` section. The module is an ELF-64 file, little-endian. */
export function readModuleInfo(module: Uint8Array): Map<string, string[]> {
  const view = new DataView(module.buffer, module.byteOffset, module.byteLength)
  // ELF-64 header: section table at 0x28, size of an entry 0x3a, entries 0x3c, the one with the names 0x3e.
  const table = Number(view.getBigUint64(0x28, true))
  const size = view.getUint16(0x3a, true)
  const count = view.getUint16(0x3c, true)
  const section = (index: number) => {
    const at = table + index * size
    return {
      name: view.getUint32(at, true),
      offset: Number(view.getBigUint64(at + 0x18, true)),
      length: Number(view.getBigUint64(at + 0x20, true)),
    }
  }
  const names = section(view.getUint16(0x3e, true)).offset
  const info = new Map<string, string[]>()
  for (let i = 0; i < count; i++) {
    const { name, offset, length } = section(i)
    if (text(module, names + name, 9) !== '.modinfo\0') continue
    for (const line of text(module, offset, length).split('\0')) {
      const equals = line.indexOf('=')
      if (equals < 0) continue
      const key = line.slice(0, equals)
      info.set(key, [...(info.get(key) ?? []), line.slice(equals + 1)])
    }
  }
  return info
}

function text(bytes: Uint8Array, offset: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + offset, length).toString('latin1')
}
