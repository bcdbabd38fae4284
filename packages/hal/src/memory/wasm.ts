/** The part of `WebAssembly.Memory` that is used here. Node's type package leaves it to the DOM library, which has no place in a server. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer
}

export interface WasmModule {
  readonly __wasmModule?: never
}

export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>
}

interface WasmNamespace {
  readonly Memory: new (options: { initial: number; maximum: number; shared: boolean }) => WasmMemory
  readonly Module: new (bytes: Uint8Array) => WasmModule
  readonly Instance: new (
    module: WasmModule,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => WasmInstance
}

/** The global `WebAssembly`, with the types above. */
export const wasm = (globalThis as unknown as { WebAssembly: WasmNamespace }).WebAssembly
