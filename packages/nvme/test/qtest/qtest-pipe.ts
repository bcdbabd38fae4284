import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'

/**
 * The text protocol of QEMU's qtest over two named pipes, answered before a call returns: one line out, one line back. After the end of
 * QEMU every read is all ones and every write nothing, as on a bus from which the device was taken.
 */
export class QtestPipe {
  readonly #out: number
  readonly #in: number
  readonly #bytes = new Uint8Array(4096)
  #alive = true

  /** @param path of the pipes `path.in` and `path.out`, which QEMU has open */
  constructor(path: string) {
    this.#out = openSync(`${path}.in`, constants.O_WRONLY)
    this.#in = openSync(`${path}.out`, constants.O_RDONLY)
  }

  get alive(): boolean {
    return this.#alive
  }

  read32(address: number): number {
    return this.#number(`readl 0x${address.toString(16)}`)
  }

  write32(address: number, value: number): void {
    this.#ask(`writel 0x${address.toString(16)} 0x${(value >>> 0).toString(16)}`)
  }

  in32(port: number): number {
    return this.#number(`inl 0x${port.toString(16)}`)
  }

  out32(port: number, value: number): void {
    this.#ask(`outl 0x${port.toString(16)} 0x${(value >>> 0).toString(16)}`)
  }

  close(): void {
    this.#alive = false
    closeSync(this.#out)
    closeSync(this.#in)
  }

  #number(line: string): number {
    const answer = this.#ask(line)
    return answer === undefined ? 0xffff_ffff : Number(answer.slice('OK '.length)) >>> 0
  }

  #ask(line: string): string | undefined {
    if (!this.#alive) return undefined
    try {
      writeSync(this.#out, `${line}\n`)
      const answer = this.#line()
      if (answer === undefined) this.#alive = false
      else if (!answer.startsWith('OK')) throw new Error(`qtest answered '${answer}' to '${line}'`)
      return answer
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
      this.#alive = false
      return undefined
    }
  }

  /** Undefined at the end of QEMU. Interrupt messages that come between are left out. */
  #line(): string | undefined {
    for (let text = ''; ; ) {
      const count = readSync(this.#in, this.#bytes)
      if (count === 0) return undefined
      text += Buffer.from(this.#bytes.buffer, 0, count).toString('latin1')
      if (!text.endsWith('\n')) continue
      const answer = text.split('\n').find((line) => line !== '' && !line.startsWith('IRQ'))
      if (answer !== undefined) return answer
      text = ''
    }
  }
}
