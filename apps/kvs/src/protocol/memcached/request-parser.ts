import {
  keyhash,
  OP_ADD,
  OP_APPEND,
  OP_CAS,
  OP_DELETE,
  OP_GET,
  OP_GET_AND_TOUCH,
  OP_PREPEND,
  OP_REPLACE,
  OP_SET,
  OP_TOUCH,
  type RequestBatch,
} from '@parakernel/mica'
import {
  type CommandTable,
  KIND_ARITHMETIC,
  KIND_DELETE,
  KIND_FIXED,
  KIND_FLUSH,
  KIND_RETRIEVE,
  KIND_STATS,
  KIND_STORE,
  KIND_TOUCH,
} from './command-table.ts'
import {
  TEXT_BAD_CHUNK,
  TEXT_BAD_FORMAT,
  TEXT_DELETE_USAGE,
  TEXT_ERROR,
  TEXT_INVALID_DELTA,
  TEXT_INVALID_EXPTIME,
  TEXT_OK,
  TEXT_RESET,
  TEXT_VERSION,
} from './texts.ts'
import { Tokens } from './tokens.ts'

/** The command could be read: no text refuses it. */
const READ = -1

/** memcached's KEY_MAX_LENGTH. */
const MAX_TEXT_KEY_BYTES = 250
/** Expiry times beyond this many seconds are dates (protocol.txt). */
const LONGEST_RELATIVE = 60 * 60 * 24 * 30

const encoder = new TextEncoder()
const word = (text: string) => encoder.encode(text)

const NOREPLY = word('noreply')
const RESET = word('reset')
const STATS = word('stats')
const VERSION = word('version')
const VERBOSITY = word('verbosity')
const FLUSH_ALL = word('flush_all')
const QUIT = word('quit')
const DELETE = word('delete')
const TOUCH = word('touch')
const INCR = word('incr')
const DECR = word('decr')
/** Name, whether a new expiry comes first, whether the version is shown. */
const RETRIEVALS = [
  { name: word('get'), touches: false, withVersion: false },
  { name: word('gets'), touches: false, withVersion: true },
  { name: word('gat'), touches: true, withVersion: false },
  { name: word('gats'), touches: true, withVersion: true },
] as const
const STORAGES = [
  { name: word('set'), opcode: OP_SET },
  { name: word('add'), opcode: OP_ADD },
  { name: word('replace'), opcode: OP_REPLACE },
  { name: word('append'), opcode: OP_APPEND },
  { name: word('prepend'), opcode: OP_PREPEND },
  { name: word('cas'), opcode: OP_CAS },
] as const

/**
 * Reads memcached's text commands into a `CommandTable` and the columns of a `RequestBatch`. Numbers that `incr` and
 * `decr` work on are text, unlike the store's counters, so these become a GET whose answer is written back.
 */
export class TextParser {
  readonly #bytes: Uint8Array
  readonly #batch: RequestBatch
  readonly #commands: CommandTable
  readonly #tokens: Tokens
  readonly #lanes = new Int32Array(2)
  readonly #wallClock: () => number
  #now = 0
  /** Commands of the last `parse` that were no good. */
  errors = 0
  unknown = 0

  /** @param wallClock milliseconds since 1970, for expiry times that are dates */
  constructor(batch: RequestBatch, commands: CommandTable, wallClock: () => number = Date.now) {
    this.#bytes = new Uint8Array(batch.memory.buffer)
    this.#batch = batch
    this.#commands = commands
    this.#tokens = new Tokens(this.#bytes)
    this.#wallClock = wallClock
  }

  /**
   * Appends the commands in `length` bytes at `at`. What cannot be read becomes a command with the protocol's error as its
   * answer, and ends the datagram where it is unclear how to go on.
   * @param now milliseconds on the store's clock
   */
  parse(at: number, length: number, now: number): void {
    this.#now = now
    this.errors = 0
    this.unknown = 0
    const end = at + length
    const tokens = this.#tokens
    let from = at
    while (from < end) {
      if (!tokens.read(from, end)) {
        this.#refuse(TEXT_ERROR)
        return
      }
      from = this.#command(end)
    }
  }

  /** Returns where the next command starts; `end` to stop. */
  #command(end: number): number {
    const tokens = this.#tokens
    for (const { name, touches, withVersion } of RETRIEVALS) {
      if (tokens.is(0, name)) return this.#retrieve(touches, withVersion)
    }
    for (const { name, opcode } of STORAGES) if (tokens.is(0, name)) return this.#store(opcode, end)
    const noreply = tokens.is(tokens.count - 1, NOREPLY)
    const words = tokens.count - (noreply ? 1 : 0)
    const { next } = tokens
    let refusal = READ
    if (tokens.is(0, INCR) || tokens.is(0, DECR)) refusal = this.#arithmetic(words, noreply, tokens.is(0, DECR))
    else if (tokens.is(0, DELETE)) refusal = this.#delete(words, noreply)
    else if (tokens.is(0, TOUCH)) refusal = this.#touch(words, noreply)
    else if (tokens.is(0, FLUSH_ALL)) refusal = this.#flush(words, noreply)
    else if (tokens.is(0, VERSION)) this.#commands.add(KIND_FIXED, 0, 0, TEXT_VERSION, false)
    else if (tokens.is(0, VERBOSITY)) this.#commands.add(KIND_FIXED, 0, 0, words >= 2 ? TEXT_OK : TEXT_ERROR, noreply)
    else if (tokens.is(0, STATS)) {
      if (tokens.is(1, RESET)) this.#commands.add(KIND_FIXED, 0, 0, TEXT_RESET, false)
      else this.#commands.add(KIND_STATS, 0, 0, words === 1 ? 1 : 0, false)
    } else if (tokens.is(0, QUIT)) {
      // There is no connection to close.
      this.#commands.add(KIND_FIXED, 0, 0, -1, true)
    } else {
      this.unknown++
      refusal = TEXT_ERROR
    }
    if (refusal !== READ) this.#refuse(refusal)
    return next
  }

  #retrieve(touches: boolean, withVersion: boolean): number {
    const tokens = this.#tokens
    const batch = this.#batch
    const first = batch.count
    const expiresAt = touches ? this.#expiry(1) : 0
    const prefix = touches ? 1 : 0
    if (tokens.count < 2 + prefix) {
      this.#refuse(TEXT_ERROR)
      return tokens.next
    }
    if (Number.isNaN(expiresAt)) {
      this.#refuse(TEXT_INVALID_EXPTIME)
      return tokens.next
    }
    let from = tokens.start[prefix] + tokens.length[prefix]
    while (tokens.word(from)) {
      if (!this.#add(touches ? OP_GET_AND_TOUCH : OP_GET, tokens.wordStart, tokens.wordLength)) {
        batch.count = first
        this.#refuse(TEXT_BAD_FORMAT)
        return tokens.next
      }
      batch.expiresAt[batch.count - 1] = expiresAt
      from = tokens.wordStart + tokens.wordLength
    }
    this.#commands.add(KIND_RETRIEVE, first, batch.count - first, 0, false, withVersion)
    return tokens.next
  }

  /** `<command> <key> <flags> <exptime> <bytes> [<cas unique>] [noreply]`, then the data. */
  #store(opcode: number, end: number): number {
    const tokens = this.#tokens
    const batch = this.#batch
    const words = opcode === OP_CAS ? 6 : 5
    if (tokens.count < words || tokens.count > words + 1) {
      this.#refuse(TEXT_ERROR)
      // The data that may follow cannot be told from commands.
      return end
    }
    const noreply = tokens.is(words, NOREPLY)
    const flags = tokens.number(2)
    const expiresAt = this.#expiry(3)
    const bytes = tokens.number(4, true)
    const unique = opcode === OP_CAS ? tokens.u64(5) : 0n
    const malformed =
      !(flags <= 0xffffffff) || Number.isNaN(expiresAt) || !(bytes >= 0 && bytes < 2 ** 30) || unique === undefined
    if (malformed || tokens.length[1] > MAX_TEXT_KEY_BYTES) {
      this.#refuse(TEXT_BAD_FORMAT)
      return end
    }
    const data = tokens.next
    const after = data + bytes + 2
    if (after > end || this.#bytes[after - 2] !== 0x0d || this.#bytes[after - 1] !== 0x0a) {
      this.#refuse(TEXT_BAD_CHUNK)
      return end
    }
    this.#add(opcode, tokens.start[1], tokens.length[1])
    const i = batch.count - 1
    batch.valueAddress[i] = data
    batch.valueLength[i] = bytes
    batch.flags[i] = flags
    batch.expiresAt[i] = expiresAt
    if (opcode === OP_CAS) this.#operand(i, unique!)
    this.#commands.add(KIND_STORE, i, 1, opcode, noreply)
    return after
  }

  // These return the text to refuse the command with, or READ.

  #arithmetic(words: number, noreply: boolean, decrement: boolean): number {
    const tokens = this.#tokens
    if (words !== 3) return TEXT_ERROR
    const delta = tokens.u64(2)
    if (tokens.length[1] > MAX_TEXT_KEY_BYTES) return TEXT_BAD_FORMAT
    if (delta === undefined) return TEXT_INVALID_DELTA
    this.#add(OP_GET, tokens.start[1], tokens.length[1])
    const i = this.#batch.count - 1
    this.#operand(i, delta)
    this.#commands.add(KIND_ARITHMETIC, i, 1, decrement ? 1 : 0, noreply)
    return READ
  }

  #delete(words: number, noreply: boolean): number {
    const tokens = this.#tokens
    if (words < 2 || words > 3) return TEXT_ERROR
    // Old clients send a time of 0.
    if (words === 3 && tokens.number(2) !== 0) return TEXT_DELETE_USAGE
    if (!this.#add(OP_DELETE, tokens.start[1], tokens.length[1])) return TEXT_BAD_FORMAT
    this.#commands.add(KIND_DELETE, this.#batch.count - 1, 1, 0, noreply)
    return READ
  }

  #touch(words: number, noreply: boolean): number {
    const tokens = this.#tokens
    if (words !== 3) return TEXT_ERROR
    const expiresAt = this.#expiry(2)
    if (tokens.length[1] > MAX_TEXT_KEY_BYTES) return TEXT_BAD_FORMAT
    if (Number.isNaN(expiresAt)) return TEXT_INVALID_EXPTIME
    this.#add(OP_TOUCH, tokens.start[1], tokens.length[1])
    this.#batch.expiresAt[this.#batch.count - 1] = expiresAt
    this.#commands.add(KIND_TOUCH, this.#batch.count - 1, 1, 0, noreply)
    return READ
  }

  #flush(words: number, noreply: boolean): number {
    const delay = words > 1 ? this.#tokens.number(1, true) : 0
    if (words > 2 || !(delay < 2 ** 31)) return TEXT_BAD_FORMAT
    this.#commands.add(KIND_FLUSH, 0, 0, Math.max(0, delay), noreply)
    return READ
  }

  /** False for a key that is too long. */
  #add(opcode: number, key: number, length: number): boolean {
    if (length > MAX_TEXT_KEY_BYTES) return false
    keyhash(this.#bytes, key, length, this.#lanes)
    return this.#batch.add(opcode, this.#lanes[0], this.#lanes[1], key, length) >= 0
  }

  #operand(i: number, value: bigint): void {
    this.#batch.operandLo[i] = Number(BigInt.asIntN(32, value))
    this.#batch.operandHi[i] = Number(BigInt.asIntN(32, value >> 32n))
  }

  /** Word `index` as a time on the store's clock: 0 = never, NaN = not a number, negative ones are over already. */
  #expiry(index: number): number {
    const seconds = this.#tokens.number(index, true)
    if (Number.isNaN(seconds) || seconds === 0) return seconds
    if (seconds < 0) return Number.MIN_VALUE
    if (seconds <= LONGEST_RELATIVE) return this.#now + seconds * 1000
    return Math.max(Number.MIN_VALUE, this.#now + seconds * 1000 - this.#wallClock())
  }

  #refuse(text: number): void {
    this.errors++
    this.#commands.add(KIND_FIXED, 0, 0, text, false)
  }
}
