import {
  OP_CAS,
  OP_SET,
  partitionOf,
  RESULT_BAD_KEY,
  RESULT_EXISTS,
  RESULT_NO_ROOM,
  RESULT_NOT_FOUND,
  RESULT_OK,
  RESULT_VALUE_TOO_LARGE,
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
} from '../protocol/memcached/command-table.ts'
import type { ReplyBuilder } from '../protocol/memcached/reply-builder.ts'
import {
  TEXT_BAD_FORMAT,
  TEXT_DELETED,
  TEXT_END,
  TEXT_EXISTS,
  TEXT_NON_NUMERIC,
  TEXT_NOT_FOUND,
  TEXT_NOT_STORED,
  TEXT_OK,
  TEXT_OUT_OF_MEMORY,
  TEXT_STORED,
  TEXT_TOO_LARGE,
  TEXT_TOUCHED,
} from '../protocol/memcached/texts.ts'
import { parseU64 } from '../protocol/memcached/tokens.ts'
import { type PartitionState, VALUE_BYTES } from './partition-state.ts'
import { textStatistics } from './text-statistics.ts'

/** No fixed text: the answer was written. */
const ANSWERED = -1
const U64 = 0xffff_ffff_ffff_ffffn

/** Runs parsed text commands against one partition's store, one operation at a time, and adds the answers to a reply. */
export class TextCommands {
  readonly #state: PartitionState
  readonly #batch: RequestBatch
  readonly #commands: CommandTable
  readonly #bytes: Uint8Array
  /** `flush_all` with a delay: when the store is to be emptied, ms; Infinity for never. */
  #flushAt = Infinity

  constructor(state: PartitionState, commands: CommandTable) {
    this.#state = state
    this.#batch = state.textBatch
    this.#commands = commands
    this.#bytes = new Uint8Array(state.batch.memory.buffer)
  }

  /** Steps of command `c`: what has to run in the right partition each. */
  steps(c: number): number {
    return this.#commands.kind[c] === KIND_FLUSH ? this.#state.partitions : this.#commands.operations[c]
  }

  /** The partition in which step `step` of command `c` has to run. */
  ownerOf(c: number, step: number): number {
    const { partitions } = this.#state
    if (partitions === 1) return 0
    if (this.#commands.kind[c] === KIND_FLUSH) return step
    return partitionOf(this.#batch.hashHi[this.#commands.first[c] + step], partitions)
  }

  /** Empties the store when a delayed `flush_all` is due. */
  flushIfDue(now: number): void {
    if (now < this.#flushAt) return
    this.#flushAt = Infinity
    this.#clear()
    // Nobody waits for it.
    this.#state.journal?.take()
  }

  /** Runs one step. Its answer is kept back if the client wants none. */
  step(c: number, step: number, now: number, reply: ReplyBuilder): void {
    const commands = this.#commands
    const before = reply.length
    const i = commands.first[c] + step
    const kind = commands.kind[c]
    if (kind !== KIND_RETRIEVE && this.#state.journal?.isRefusing === true) {
      this.#state.journal.refused(1)
      if (commands.noreply[c] !== 1) reply.text(TEXT_OUT_OF_MEMORY)
      return
    }
    switch (kind) {
      case KIND_RETRIEVE:
        this.#retrieve(i, commands.withVersion[c] === 1, reply)
        break
      case KIND_STORE:
        this.#execute(this.#batch, i)
        reply.text(storedText(this.#batch.result[i], commands.argument[c]))
        break
      case KIND_ARITHMETIC: {
        const refusal = this.#arithmetic(i, commands.argument[c] === 1, reply)
        if (refusal !== ANSWERED) reply.text(refusal)
        break
      }
      case KIND_FLUSH:
        if (commands.argument[c] === 0) this.#clear()
        else this.#flushAt = now + commands.argument[c] * 1000
        break
      default: {
        this.#execute(this.#batch, i)
        const found = this.#batch.result[i]
        const done = commands.kind[c] === KIND_DELETE ? TEXT_DELETED : TEXT_TOUCHED
        reply.text(found === RESULT_OK ? done : found === RESULT_NOT_FOUND ? TEXT_NOT_FOUND : TEXT_OUT_OF_MEMORY)
      }
    }
    if (commands.noreply[c] === 1) reply.length = before
  }

  /** What a command says when all its steps are done. */
  finish(c: number, reply: ReplyBuilder): void {
    const commands = this.#commands
    const before = reply.length
    const kind = commands.kind[c]
    if (kind === KIND_FIXED) {
      if (commands.argument[c] >= 0) reply.text(commands.argument[c])
    } else if (kind === KIND_RETRIEVE) reply.text(TEXT_END)
    else if (kind === KIND_FLUSH) reply.text(TEXT_OK)
    else if (kind === KIND_STATS) {
      if (commands.argument[c] === 1) reply.ascii(textStatistics(this.#state))
      reply.text(TEXT_END)
    }
    if (commands.noreply[c] === 1) reply.length = before
  }

  /** Writes go into the journal, which the server asks what to wait for. */
  #execute(batch: RequestBatch, i: number): void {
    const { store, valueAddress, journal } = this.#state
    batch.stopWhenFull = false
    store.execute(batch, i, i + 1, valueAddress, valueAddress + VALUE_BYTES, 0)
    journal?.record(batch, i, i + 1)
  }

  #clear(): void {
    this.#state.store.clear()
    this.#state.journal?.recordClear()
  }

  #retrieve(i: number, withVersion: boolean, reply: ReplyBuilder): void {
    const batch = this.#batch
    this.#execute(batch, i)
    const result = batch.result[i]
    if (result !== RESULT_OK && result !== RESULT_NO_ROOM) return
    const version = withVersion
      ? (BigInt(batch.versionHi[i] >>> 0) << 32n) | BigInt(batch.versionLo[i] >>> 0)
      : undefined
    const length = batch.responseLength[i]
    const data = result === RESULT_OK ? batch.responseAddress[i] : batch.storedAddress[i]
    reply.value(
      this.#bytes,
      batch.keyAddress[i],
      batch.keyLength[i],
      data,
      length,
      batch.responseFlags[i] >>> 0,
      version,
    )
  }

  /** memcached keeps an item's length: a number that gets shorter is padded with blanks behind (protocol.txt, "decr"). */
  #arithmetic(i: number, decrement: boolean, reply: ReplyBuilder): number {
    const batch = this.#batch
    const bytes = this.#bytes
    this.#execute(batch, i)
    if (batch.result[i] === RESULT_NOT_FOUND) return TEXT_NOT_FOUND
    const stored = batch.responseLength[i]
    let digits = stored
    const at = batch.responseAddress[i]
    while (digits > 0 && bytes[at + digits - 1] === 0x20) digits--
    const value = batch.result[i] === RESULT_OK ? parseU64(bytes, at, digits) : undefined
    if (value === undefined) return TEXT_NON_NUMERIC
    const delta = (BigInt(batch.operandHi[i] >>> 0) << 32n) | BigInt(batch.operandLo[i] >>> 0)
    const sum = decrement ? (value > delta ? value - delta : 0n) : (value + delta) & U64
    const text = sum.toString()

    const write = this.#state.writeBatch
    const number = this.#state.numberAddress
    const length = Math.max(text.length, stored)
    for (let digit = 0; digit < length; digit++) {
      bytes[number + digit] = digit < text.length ? text.charCodeAt(digit) : 0x20
    }
    write.count = 0
    write.add(OP_SET, batch.hashLo[i], batch.hashHi[i], batch.keyAddress[i], batch.keyLength[i])
    write.valueAddress[0] = number
    write.valueLength[0] = length
    write.flags[0] = batch.responseFlags[i]
    write.expiresAt[0] = batch.responseExpiresAt[i]
    this.#state.store.prepare(write, batch.now)
    this.#execute(write, 0)
    if (write.result[0] !== RESULT_OK) return TEXT_OUT_OF_MEMORY
    reply.ascii(`${text}\r\n`)
    return ANSWERED
  }
}

function storedText(result: number, opcode: number): number {
  if (result === RESULT_OK) return TEXT_STORED
  if (result === RESULT_NOT_FOUND) return opcode === OP_CAS ? TEXT_NOT_FOUND : TEXT_NOT_STORED
  if (result === RESULT_EXISTS) return opcode === OP_CAS ? TEXT_EXISTS : TEXT_NOT_STORED
  if (result === RESULT_VALUE_TOO_LARGE) return TEXT_TOO_LARGE
  if (result === RESULT_BAD_KEY) return TEXT_BAD_FORMAT
  return TEXT_OUT_OF_MEMORY
}
