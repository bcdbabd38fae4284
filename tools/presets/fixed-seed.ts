import fc from 'fast-check'

/**
 * Property tests draw the same cases in every run, so that a failure is of the change that brought it. Other cases:
 * `PARAKERNEL_SEED=random`, or a number; a failing property prints the seed that repeats it.
 */
const { PARAKERNEL_SEED: text = '20191105' } = process.env
fc.configureGlobal({ seed: text === 'random' ? Date.now() | 0 : Number(text) })
