// What packages declare, for the type tests: a libOS, two backends and a probe that nobody else has.
export interface NicOptions {
  readonly slot: string
  /** The libOS has a number of this name. */
  readonly both?: boolean
  readonly queues?: number
}

declare module '@parakernel/hal' {
  interface NetBackendOptions {
    'my-nic': NicOptions
    'other-nic': { readonly port: number; readonly queues?: number }
  }
  interface NetDecoratorOptions {
    recorder: { readonly file: string; readonly limit?: number }
  }
}

declare module '@parakernel/queue' {
  interface NetworkLibOSOptions {
    tiny: { readonly address: string; readonly ttl?: number; readonly both?: number }
  }
}
