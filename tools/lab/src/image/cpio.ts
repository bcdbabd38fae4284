/**
 * The "new ASCII" cpio format, in which the kernel takes an initial file system: for each entry a header of 110 ASCII bytes in
 * hexadecimal, the name with a final zero, and the data, each padded to four bytes (Linux, initramfs buffer format).
 */
export class CpioWriter {
  readonly chunks: Uint8Array[] = []
  private inode = 1
  private readonly names = new Set<string>()

  /** Parents are made as needed. `mode` is the permission bits. */
  file(name: string, data: Uint8Array | string, mode = 0o644): this {
    return this.entry(name, 0o100000 | mode, typeof data === 'string' ? Buffer.from(data) : data)
  }

  directory(name: string): this {
    return this.entry(name, 0o40755, new Uint8Array(0))
  }

  link(name: string, target: string): this {
    return this.entry(name, 0o120777, Buffer.from(target))
  }

  /** A character device of the kernel's static numbers: the console, before anything is mounted. */
  device(name: string, major: number, minor: number): this {
    return this.entry(name, 0o20600, new Uint8Array(0), major, minor)
  }

  has(name: string): boolean {
    return this.names.has(name)
  }

  end(): readonly Uint8Array[] {
    this.write('TRAILER!!!', 0, new Uint8Array(0), 0, 0)
    return this.chunks
  }

  private entry(name: string, mode: number, data: Uint8Array, major = 0, minor = 0): this {
    if (this.names.has(name)) return this
    const slash = name.lastIndexOf('/')
    if (slash > 0) this.directory(name.slice(0, slash))
    this.names.add(name)
    this.write(name, mode, data, major, minor)
    return this
  }

  private write(name: string, mode: number, data: Uint8Array, major: number, minor: number): void {
    // Inode, mode, uid, gid, links, mtime, size, device of the file system (two), device (two), length of the name, checksum.
    const fields = [this.inode++, mode, 0, 0, 1, 0, data.length, 0, 0, major, minor, name.length + 1, 0]
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`
    this.chunks.push(Buffer.from(header.padEnd(padded(header.length), '\0')), data)
    const tail = padded(data.length) - data.length
    if (tail > 0) this.chunks.push(new Uint8Array(tail))
  }
}

function padded(length: number): number {
  return (length + 3) & ~3
}
