export { expect } from './expect.ts'
export { afterAll, afterEach, beforeAll, beforeEach, describe, fullName, test, test as it } from './registry.ts'
export { listTests, runTests } from './run.ts'
