/** The messages of `shim/shim.c`: 64-bit numbers in the machine's order, and runs of bytes with their length before them. */

export const OPERATIONS = [
  ...['none', 'socket', 'bind', 'listen', 'accept', 'connect', 'read', 'write', 'fcntl', 'ioctl', 'close', 'shutdown'],
  ...['getsockopt', 'setsockopt', 'poll', 'sendPacket', 'receivePacket', 'sleep', 'time'],
] as const

export class Request {
  readonly operation: string
  readonly #view: DataView
  readonly #bytes: Buffer
  #at = 8

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.operation = OPERATIONS[Number(this.#view.getBigInt64(0, true))] ?? 'none'
  }

  number(): number {
    const value = Number(this.#view.getBigInt64(this.#at, true))
    this.#at += 8
    return value
  }

  bytes(): Uint8Array {
    const length = this.number()
    const value = Uint8Array.from(this.#bytes.subarray(this.#at, this.#at + length))
    this.#at += length
    return value
  }
}

/** What an operation came to: a result that is not negative, with data; or an errno. */
export interface Answer {
  readonly result: number
  readonly errno?: number
  readonly data?: Uint8Array
}

export function encodeAnswer({ result, errno = 0, data = new Uint8Array(0) }: Answer): Buffer {
  const bytes = Buffer.alloc(24 + data.length)
  bytes.writeBigInt64LE(BigInt(16 + data.length), 0)
  bytes.writeBigInt64LE(BigInt(result), 8)
  bytes.writeBigInt64LE(BigInt(errno), 16)
  bytes.set(data, 24)
  return bytes
}

/** Cuts a stream of bytes into requests. */
export class RequestReader {
  #rest: Buffer = Buffer.alloc(0)

  read(chunk: Buffer): Request[] {
    const requests: Request[] = []
    this.#rest = Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= 8) {
      const length = Number(this.#rest.readBigInt64LE(0))
      if (this.#rest.length < 8 + length) break
      requests.push(new Request(this.#rest.subarray(8, 8 + length)))
      this.#rest = this.#rest.subarray(8 + length)
    }
    return requests
  }
}
