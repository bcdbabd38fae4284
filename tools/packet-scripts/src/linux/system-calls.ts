import { getSystemErrorName } from 'node:util'
import { foreign } from '@parakernel/linux'
import { CallError } from '../run/subject.ts'

/** Calls that only a test needs: they are not on the list of what the `linux` package may call. */
function bind() {
  const { bind } = foreign()
  return {
    unshare: bind('unshare', 'int', ['int']) as (flags: number) => number,
    listen: bind('listen', 'int', ['int', 'int']) as (socket: number, backlog: number) => number,
    accept4: bind('accept4', 'int', ['int', 'void *', 'void *', 'int']) as (
      socket: number,
      address: null,
      length: null,
      flags: number,
    ) => number,
    shutdown: bind('shutdown', 'int', ['int', 'int']) as (socket: number, how: number) => number,
  }
}

let bound: ReturnType<typeof bind> | undefined

export function testCalls(): ReturnType<typeof bind> {
  bound ??= bind()
  return bound
}

export const EAGAIN = 11
export const EINPROGRESS = 115

/** Name of the last call's error. */
export function errorName(errno = foreign().errno()): string {
  const name = getSystemErrorName(-errno)
  return name === 'EOPNOTSUPP' ? 'ENOTSUP' : name
}

/** @throws CallError with the last call's error where `result` is negative */
export function must(result: number | bigint, call: string): number {
  if (result >= 0) return Number(result)
  const code = errorName()
  throw new CallError(code, `${call}: ${code}`)
}
