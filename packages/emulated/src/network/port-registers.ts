import { type MacAddress, ParakernelError, SEGMENT_ANY, type SteeringRule } from '@parakernel/hal'
import { maxFrame, type ResolvedNicOptions } from '../options.ts'
import {
  FLOW_CONTROL,
  GIVES_HASH,
  INDIRECTION_ENTRIES,
  LINK_UP,
  PARTIAL_MARKED,
  PARTIAL_UNMARKED,
  PORT_FIRST_QUEUE,
  PORT_FLAGS,
  PORT_INDIRECTION,
  PORT_LATENCY,
  PORT_MAC_A,
  PORT_MAC_B,
  PORT_MAX_FRAME,
  PORT_NS_PER_BYTE,
  PORT_QUEUES,
  PORT_RSS_TABLE,
  PORT_RULE_COUNT,
  PORT_RULES,
  PORT_RX_SEGMENT,
  PORT_WORDS,
  PRESENT,
  STAMPS,
  STRIPS_VLAN,
  VERIFIES,
} from '../shared/layout.ts'
import { macHalves } from '../shared/receive-filter.ts'
import { MAX_RULES, RULE_WORDS, writeRule } from '../steering/rules.ts'
import { DEFAULT_RSS_KEY, TOEPLITZ_TABLE_WORDS, writeToeplitzTables } from '../steering/toeplitz.ts'
import type { Network } from './network.ts'

const RULES_BYTES = MAX_RULES * RULE_WORDS * 4
const TOEPLITZ_BYTES = TOEPLITZ_TABLE_WORDS * 4

/** Writes one NIC's registers in the network's memory, where all transmitters read them. Control thread only. */
export class PortRegisters {
  readonly port: number
  readonly #network: Network
  readonly #at: number
  readonly #queues: number
  #rules = 0
  #rssTables = 0

  /** @throws EINVAL for a bad address, ENOMEM */
  constructor(network: Network, port: number, firstQueue: number, options: ResolvedNicOptions, mac: MacAddress) {
    const { memory, heap } = network
    const { words, doubles } = memory
    this.port = port
    this.#network = network
    this.#at = memory.layout.port(port)
    this.#queues = options.queues
    const [a, b] = macHalves(mac)
    if (options.rss) {
      this.#rssTables = heap.allocate(TOEPLITZ_BYTES)
      writeToeplitzTables(options.rssKey ?? DEFAULT_RSS_KEY, words, this.#rssTables >> 2)
    }
    words.fill(0, this.#at, this.#at + PORT_WORDS)
    words[this.#at + PORT_FIRST_QUEUE] = firstQueue
    words[this.#at + PORT_QUEUES] = options.queues
    words[this.#at + PORT_MAC_A] = a
    words[this.#at + PORT_MAC_B] = b
    words[this.#at + PORT_MAX_FRAME] = maxFrame(options.mtu)
    words[this.#at + PORT_RX_SEGMENT] = options.receiveSegmentation ? SEGMENT_ANY : 0
    words[this.#at + PORT_RSS_TABLE] = this.#rssTables >> 2
    doubles[(this.#at + PORT_LATENCY) >> 1] = options.latency
    doubles[(this.#at + PORT_NS_PER_BYTE) >> 1] = options.rate === 0 ? 0 : 8e9 / options.rate
    for (let i = 0; i < INDIRECTION_ENTRIES; i++) words[this.#at + PORT_INDIRECTION + i] = i % options.queues
    Atomics.store(words, this.#at + PORT_FLAGS, PRESENT | LINK_UP | flagsOf(options))
    memory.bump()
  }

  setLink(up: boolean): void {
    const { words } = this.#network.memory
    const flags = words[this.#at + PORT_FLAGS]
    Atomics.store(words, this.#at + PORT_FLAGS, up ? flags | LINK_UP : flags & ~LINK_UP)
    if (!up) this.#network.view.macTable.forget(this.port)
    this.#network.memory.bump()
  }

  setMaxFrame(bytes: number): void {
    this.#set(PORT_MAX_FRAME, bytes)
  }

  /** @throws EINVAL */
  setMac(mac: MacAddress): void {
    const [a, b] = macHalves(mac)
    this.#network.memory.words[this.#at + PORT_MAC_A] = a
    this.#set(PORT_MAC_B, b)
  }

  setIndirection(table: readonly number[]): void {
    this.#network.memory.words.set(table, this.#at + PORT_INDIRECTION)
    this.#network.memory.bump()
  }

  /** @throws EINVAL, ENOSPC, ENOMEM */
  addRule(rule: SteeringRule, subject: string): void {
    const { words } = this.#network.memory
    const count = words[this.#at + PORT_RULE_COUNT]
    if (count === MAX_RULES) {
      throw new ParakernelError('ENOSPC', `the table holds ${MAX_RULES} steering rules`, {
        subject,
        remedy: 'Use a port range with `spread` instead of a rule for each port',
      })
    }
    if (this.#rules === 0) this.#rules = this.#network.heap.allocate(RULES_BYTES)
    writeRule(rule, this.#queues, words, (this.#rules >> 2) + count * RULE_WORDS)
    words[this.#at + PORT_RULES] = this.#rules >> 2
    this.#set(PORT_RULE_COUNT, count + 1)
  }

  clearRules(): void {
    this.#set(PORT_RULE_COUNT, 0)
  }

  /** The port is empty again. Its tables rest a while: a transmitter elsewhere may be looking something up. */
  clear(): void {
    const { memory, heap, view } = this.#network
    Atomics.store(memory.words, this.#at + PORT_FLAGS, 0)
    view.macTable.forget(this.port)
    memory.bump()
    const shared = this.#network.threads
    if (this.#rules !== 0) heap.release(this.#rules, RULES_BYTES, shared)
    if (this.#rssTables !== 0) heap.release(this.#rssTables, TOEPLITZ_BYTES, shared)
    this.#rules = 0
    this.#rssTables = 0
  }

  #set(register: number, value: number): void {
    Atomics.store(this.#network.memory.words, this.#at + register, value)
    this.#network.memory.bump()
  }
}

function flagsOf(options: ResolvedNicOptions): number {
  return (
    (options.checksumVerify ? VERIFIES : 0) |
    (options.partialChecksums === 'marked' ? PARTIAL_MARKED : 0) |
    (options.partialChecksums === 'unmarked' ? PARTIAL_UNMARKED : 0) |
    (options.vlan ? STRIPS_VLAN : 0) |
    (options.hash ? GIVES_HASH : 0) |
    (options.timestamps ? STAMPS : 0) |
    (options.flowControl ? FLOW_CONTROL : 0)
  )
}
