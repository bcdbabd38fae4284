import type { TcpEndpoint } from './tcp-endpoint.ts'

/** Endpoints that wait for their turn: a ring that doubles when it is full, without allocation in steady state. */
export class EndpointQueue {
  size = 0
  #ring: (TcpEndpoint | undefined)[] = new Array(16).fill(undefined)
  #head = 0

  push(endpoint: TcpEndpoint): void {
    if (this.size === this.#ring.length) this.#grow()
    this.#ring[(this.#head + this.size++) & (this.#ring.length - 1)] = endpoint
  }

  /** The first one; only while there is one. */
  shift(): TcpEndpoint {
    const endpoint = this.#ring[this.#head] as TcpEndpoint
    this.#ring[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.size--
    return endpoint
  }

  #grow(): void {
    const old = this.#ring
    const grown: (TcpEndpoint | undefined)[] = new Array(old.length * 2).fill(undefined)
    for (let i = 0; i < old.length; i++) grown[i] = old[(this.#head + i) & (old.length - 1)]
    this.#ring = grown
    this.#head = 0
  }
}
