import { ParakernelError } from '@parakernel/hal'

/** The typed error that a control call throws. @throws when it throws none, or another kind. */
export function errorOf(call: () => unknown): ParakernelError {
  try {
    call()
  } catch (error) {
    if (error instanceof ParakernelError) return error
    throw error
  }
  throw new Error('the call did not throw')
}
