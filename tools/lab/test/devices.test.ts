import { guestTests } from './guest-tests.ts'

await guestTests('devices')
