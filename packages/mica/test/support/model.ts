import {
  OP_ADD,
  OP_APPEND,
  OP_CAS,
  OP_DECREMENT,
  OP_DELETE,
  OP_GET,
  OP_GET_AND_TOUCH,
  OP_INCREMENT,
  OP_NOOP,
  OP_PREPEND,
  OP_REPLACE,
  OP_SET,
  OP_TEST,
  OP_TOUCH,
  RESULT_EXISTS,
  RESULT_INDEX_FULL,
  RESULT_NAMES,
  RESULT_NO_SPACE,
  RESULT_NOT_A_COUNTER,
  RESULT_NOT_FOUND,
  RESULT_OK,
  RESULT_VALUE_TOO_LARGE,
} from '../../src/index.ts'
import type { Operation, Response } from './harness.ts'

interface Entry {
  value: Uint8Array
  version: bigint
  flags: number
  expiresAt: number
}

/**
 * What a store must answer, as a Map. A lossy store may have lost any key at any time; once it has said so, the key
 * stays lost until it is stored again. A lossless store may only refuse to take more.
 */
export class Model {
  readonly entries = new Map<string, Entry>()
  readonly #lossy: boolean
  readonly #maxValue: number
  #lastVersion = 0n

  constructor(lossy: boolean, maxValue: number) {
    this.#lossy = lossy
    this.#maxValue = maxValue
  }

  /** Throws if the response is not one that the store may give; follows it otherwise. */
  check(operation: Operation, response: Response, now: number): void {
    const name = Buffer.from(operation.key).toString('hex')
    const { opcode, value = new Uint8Array(0) } = operation
    const { result } = response
    const fail = (why: string): never => {
      throw new Error(`opcode ${opcode} on ${name.slice(0, 16)}: ${RESULT_NAMES[result]}, but ${why}`)
    }
    let entry = this.entries.get(name)
    if (entry !== undefined && entry.expiresAt !== 0 && entry.expiresAt <= now) {
      this.entries.delete(name)
      entry = undefined
    }
    if (opcode === OP_NOOP) {
      if (result !== RESULT_OK) fail('a noop succeeds')
      return
    }
    const adds = [OP_SET, OP_ADD, OP_REPLACE, OP_CAS, OP_APPEND, OP_PREPEND].includes(opcode)
    if (adds && value.length > this.#maxValue) {
      if (result !== RESULT_VALUE_TOO_LARGE) fail('the value is too large')
      return
    }
    if ((result === RESULT_NO_SPACE || result === RESULT_INDEX_FULL) && !this.#lossy) return
    if (result === RESULT_NOT_FOUND || ((opcode === OP_ADD || opcode === OP_SET) && result === RESULT_OK)) {
      if (opcode !== OP_SET && entry !== undefined) {
        if (!this.#lossy) fail('the key is there')
        this.entries.delete(name)
      }
      if (result === RESULT_NOT_FOUND) {
        if (opcode === OP_SET || opcode === OP_ADD) fail('these store absent keys')
        return
      }
      this.#store(
        name,
        { value, version: 0n, flags: operation.flags ?? 0, expiresAt: operation.expiresAt ?? 0 },
        response,
      )
      return
    }
    if (entry === undefined) {
      fail('the key is not there')
      return
    }
    switch (opcode) {
      case OP_ADD:
        if (result !== RESULT_EXISTS) fail('the key exists')
        return
      case OP_DELETE:
        if (result !== RESULT_OK) fail('it exists')
        this.entries.delete(name)
        return
      case OP_CAS:
        if (operation.operand !== entry.version) {
          if (result !== RESULT_EXISTS || response.version !== entry.version) fail('the version differs')
          return
        }
        if (result !== RESULT_OK) fail('the version is right')
        this.#store(
          name,
          { ...entry, value, flags: operation.flags ?? 0, expiresAt: operation.expiresAt ?? 0 },
          response,
        )
        return
      case OP_REPLACE:
        if (result !== RESULT_OK) fail('it exists')
        this.#store(
          name,
          { ...entry, value, flags: operation.flags ?? 0, expiresAt: operation.expiresAt ?? 0 },
          response,
        )
        return
      case OP_APPEND:
      case OP_PREPEND: {
        const joined = Buffer.concat(opcode === OP_APPEND ? [entry.value, value] : [value, entry.value])
        if (joined.length > this.#maxValue) {
          if (result !== RESULT_VALUE_TOO_LARGE) fail('the sum is too large')
          return
        }
        if (result !== RESULT_OK) fail('it exists')
        this.#store(name, { ...entry, value: joined }, response)
        return
      }
      case OP_INCREMENT:
      case OP_DECREMENT: {
        if (entry.value.length !== 8) {
          if (result !== RESULT_NOT_A_COUNTER) fail('it is no counter')
          return
        }
        const counter = Buffer.from(entry.value)
        const delta = BigInt.asUintN(64, operation.operand ?? 0n)
        const before = counter.readBigUInt64LE()
        const after =
          opcode === OP_INCREMENT ? BigInt.asUintN(64, before + delta) : before > delta ? before - delta : 0n
        counter.writeBigUInt64LE(after)
        if (result !== RESULT_OK || !counter.equals(response.value)) fail(`the counter is ${after}`)
        this.#store(name, { ...entry, value: counter }, response)
        return
      }
      case OP_TOUCH:
      case OP_GET_AND_TOUCH:
        entry.expiresAt = operation.expiresAt ?? 0
    }
    if (result !== RESULT_OK) fail('it exists')
    if (response.version !== entry.version) fail(`its version is ${entry.version}, not ${response.version}`)
    if (response.flags !== entry.flags) fail(`its flags are ${entry.flags}, not ${response.flags}`)
    if (response.expiresAt !== entry.expiresAt) fail(`it expires at ${entry.expiresAt}, not ${response.expiresAt}`)
    if (opcode === OP_TEST && response.length !== entry.value.length) fail('the length is wrong')
    if ((opcode === OP_GET || opcode === OP_GET_AND_TOUCH) && !Buffer.from(entry.value).equals(response.value)) {
      fail(
        `its value is ${Buffer.from(entry.value).toString('hex')}, not ${Buffer.from(response.value).toString('hex')}`,
      )
    }
  }

  #store(name: string, entry: Entry, response: Response): void {
    if (response.version <= this.#lastVersion) {
      throw new Error(`version ${response.version} after ${this.#lastVersion}`)
    }
    this.#lastVersion = response.version
    this.entries.set(name, { ...entry, version: response.version })
  }
}
