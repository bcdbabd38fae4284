import { ParakernelError } from '@parakernel/hal'
import { expect, test } from 'vitest'
import {
  completionStatus,
  decodeStatus,
  ERRNO_NUMBERS,
  isRetriable,
  NvmeError,
  STATUS_CODES,
  statusErrno,
} from '../src/index.ts'

test('every status has a name of its own and an errno', () => {
  const names = [...STATUS_CODES.values()].map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(names.length).toBeGreaterThan(110)
  for (const [number, { errno }] of STATUS_CODES) {
    expect(ERRNO_NUMBERS[errno], `0x${number.toString(16)}`).toBeGreaterThan(0)
    expect(completionStatus(number)).toBe(number === 0 ? 0 : -ERRNO_NUMBERS[errno])
  }
})

test('the status field as a controller writes it', () => {
  expect(decodeStatus(0x4080)).toEqual({
    type: 0,
    code: 0x80,
    name: 'LBA Out of Range',
    doNotRetry: true,
    more: false,
  })
  expect(decodeStatus(0x6281)).toMatchObject({ type: 2, code: 0x81, doNotRetry: true, more: true })
  expect(decodeStatus(0x0753).name).toBe('Vendor Specific')
  expect(decodeStatus(0x0450).name).toBe('Unknown Status')
  expect(statusErrno(0x0450)).toBe('EIO')
})

test('what passes by itself may be tried again, unless the controller forbids it', () => {
  expect(isRetriable(0x0006)).toBe(true)
  expect(isRetriable(0x4006)).toBe(false)
  expect(isRetriable(0x0281)).toBe(false)
  expect(isRetriable(0x0450)).toBe(false)
})

test('errors of the controller are told from other errors', () => {
  const error = new NvmeError(0x4109, 'Get Log Page (0x6f)', 'nvme x')
  expect(error).toBeInstanceOf(ParakernelError)
  expect(error).toBeInstanceOf(NvmeError)
  expect(new ParakernelError('EIO', 'something else')).not.toBeInstanceOf(NvmeError)
  expect(error.message).toBe('nvme x: Get Log Page (0x6f) failed: Invalid Log Page, status 1/0x09 (EINVAL)')
})
