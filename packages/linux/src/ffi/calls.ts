import { ParakernelError } from '@parakernel/hal'
import { ALLOWED_CALLS, type AllowedCall, type AllowedCallName } from './allow-list.ts'
import { foreign, type Pointer } from './foreign.ts'

interface NativeTypes {
  void: undefined
  int: number
  uint32_t: number
  long: number
  ulong: number
  size_t: number
  int64_t: number
  uintptr_t: number
  str: string
  'void *': Pointer
}

type Native<T> = T extends keyof NativeTypes ? NativeTypes[T] : never
type Parameters<P extends readonly string[]> = { -readonly [I in keyof P]: Native<P[I]> }
type DropFirst<T extends unknown[]> = T extends [unknown, ...infer Rest] ? Rest : T
type Bound<C extends AllowedCall> = C extends { syscall: object }
  ? (...values: DropFirst<Parameters<C['parameters']>>) => Native<C['result']>
  : (...values: Parameters<C['parameters']>) => Native<C['result']>

/** The allow-list as functions; each is bound at its first use. They never throw: see `check` for errno. */
export type Calls = { readonly [K in AllowedCallName]: Bound<(typeof ALLOWED_CALLS)[K]> }

let bound: Calls | undefined

/** Throws ENOSYS where foreign calls are impossible (see `foreign`). */
export function calls(): Calls {
  bound ??= lazily()
  return bound
}

function lazily(): Calls {
  const table = {}
  for (const name of Object.keys(ALLOWED_CALLS) as AllowedCallName[]) {
    Object.defineProperty(table, name, {
      configurable: true,
      enumerable: true,
      get() {
        const value = bindCall(name, ALLOWED_CALLS[name])
        Object.defineProperty(table, name, { value, enumerable: true })
        return value
      },
    })
  }
  foreign()
  return table as Calls
}

function bindCall(name: string, call: AllowedCall): (...values: unknown[]) => unknown {
  if (call.syscall === undefined) return foreign().bind(name, call.result, call.parameters)
  // Fixed instead of variadic: the same registers carry the arguments in the Linux ABIs of both architectures.
  const raw = foreign().bind('syscall', call.result, call.parameters)
  const number = call.syscall[process.arch as 'x64' | 'arm64']
  if (number === undefined) {
    throw new ParakernelError('ENOSYS', `its number on ${process.arch} is not known`, {
      subject: `system call ${name}`,
      remedy: 'Run on x64 or arm64',
    })
  }
  return withNumber(raw, number, call.parameters.length - 1)
}

type Raw = (...values: unknown[]) => unknown

/** Of a fixed arity, where it pays: a list of arguments would be allocated at each call of a hot path. */
function withNumber(raw: Raw, number: number, arity: number): Raw {
  if (arity === 6) return (a, b, c, d, e, f) => raw(number, a, b, c, d, e, f)
  return (...values) => raw(number, ...values)
}
