import { ParakernelError } from '@parakernel/hal'

export function deviceGone(subject: string, cause?: unknown): ParakernelError {
  return new ParakernelError('ENODEV', 'the controller was removed: its registers read as all ones', {
    subject,
    remedy: 'Plug it in again, or open another device',
    ...(cause === undefined ? {} : { cause }),
  })
}

export function timedOut(subject: string, what: string, milliseconds: number): ParakernelError {
  return new ParakernelError('ETIMEDOUT', `${what} took more than ${Math.round(milliseconds)} ms`, {
    subject,
    remedy: 'Reset the controller; if that does not help it is broken, or needs a power cycle',
  })
}

export function wasReset(subject: string, what: string): ParakernelError {
  return new ParakernelError('EAGAIN', `the controller was reset before it answered ${what}`, {
    subject,
    remedy: 'Ask once more',
  })
}

export function notReady(subject: string, state: string): ParakernelError {
  if (state === 'removed') return deviceGone(subject)
  if (state === 'resetting') {
    return new ParakernelError('EAGAIN', 'the controller is being reset', { subject, remedy: 'Wait until it is ready' })
  }
  return new ParakernelError('ENODEV', `the controller is ${state}`, { subject, remedy: 'Open the device again' })
}
