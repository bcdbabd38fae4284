import { ParakernelError } from '../errors.ts'
import { formatMac, type MacAddress, parseMac } from './mac-address.ts'

/** Life of a grant, as both halves see it. */
export const GRANT_FREE = 0
export const GRANT_ATTACHED = 1
/** The holder gave everything back. */
export const GRANT_DETACHED = 2
/** The control plane took the queue away; the holder's calls answer 0 and change nothing. */
export const GRANT_RECLAIMED = 3
/** The device is gone. */
export const GRANT_REMOVED = 4

const EPOCH = 0
const STATE = 1
const LINK = 2
const MTU = 3
const MAC_HIGH = 4
const MAC_LOW = 5
const WORDS = 16

/**
 * Control events of one queue, in shared memory: the device writes, the holder compares `epoch` once a poll and reads what
 * changed. State, not a message queue: the newest value is what counts, and nobody can fall behind.
 */
export class ControlBlock {
  readonly buffer: SharedArrayBuffer
  readonly #words: Int32Array

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(WORDS * 4)) {
    this.buffer = buffer
    this.#words = new Int32Array(buffer)
  }

  /** Moves on with every change. */
  get epoch(): number {
    return Atomics.load(this.#words, EPOCH)
  }

  get state(): number {
    return Atomics.load(this.#words, STATE)
  }

  /** Takes the grant from one state to another; false when it was in a third. */
  transition(from: number, to: number): boolean {
    if (Atomics.compareExchange(this.#words, STATE, from, to) !== from) return false
    Atomics.add(this.#words, EPOCH, 1)
    return true
  }

  /** The device's word, whatever the state was: `GRANT_RECLAIMED` or `GRANT_REMOVED`. */
  end(state: number): void {
    Atomics.store(this.#words, STATE, state)
    Atomics.add(this.#words, EPOCH, 1)
  }

  get linkUp(): boolean {
    return Atomics.load(this.#words, LINK) === 1
  }

  set linkUp(up: boolean) {
    this.#set(LINK, up ? 1 : 0)
  }

  get mtu(): number {
    return Atomics.load(this.#words, MTU)
  }

  set mtu(bytes: number) {
    this.#set(MTU, bytes)
  }

  get mac(): MacAddress {
    const high = Atomics.load(this.#words, MAC_HIGH)
    const low = Atomics.load(this.#words, MAC_LOW)
    return formatMac(Uint8Array.of(high >> 8, high, low >> 24, low >> 16, low >> 8, low))
  }

  set mac(mac: MacAddress) {
    const b = parseMac(mac)
    Atomics.store(this.#words, MAC_HIGH, (b[0] << 8) | b[1])
    this.#set(MAC_LOW, (b[2] << 24) | (b[3] << 16) | (b[4] << 8) | b[5])
  }

  #set(word: number, value: number): void {
    Atomics.store(this.#words, word, value)
    Atomics.add(this.#words, EPOCH, 1)
  }
}

/** The control block of a grant, whose holder the caller becomes. @throws ESTALE for a grant that has one, or is over */
export function takeControl(buffer: SharedArrayBuffer, subject: string): ControlBlock {
  const control = new ControlBlock(buffer)
  if (control.transition(GRANT_FREE, GRANT_ATTACHED)) return control
  throw new ParakernelError('ESTALE', 'the grant is in use, or was given back or taken away', {
    subject,
    remedy: 'Ask the device for a new grant',
  })
}
