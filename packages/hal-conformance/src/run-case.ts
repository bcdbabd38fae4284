import type { NetDevice } from '@parakernel/hal'
import type { Case } from './case.ts'
import type { ConformanceOptions, Fixture } from './fixture.ts'
import { Session } from './session.ts'

/** A fixture that is open, with its device as the suite sees it. */
export interface Opened {
  readonly fixture: Fixture
  /** Decorated, if the suite runs over a decorator. */
  readonly device: NetDevice
}

export async function openFixture({ setup, decorate }: ConformanceOptions, workers: boolean): Promise<Opened> {
  const fixture = await setup({ workers })
  return { fixture, device: decorate?.(fixture.device, fixture.context) ?? fixture.device }
}

export async function closeFixture({ fixture, device }: Opened): Promise<void> {
  if (device !== fixture.device) await device.close()
  await fixture.close()
}

/**
 * Runs one case, and checks afterwards that every frame came back. Answers the reason why it does not apply, if it does not.
 * @throws what the case found wrong.
 */
export async function runCase(one: Case, opened: Opened, options: ConformanceOptions): Promise<string | undefined> {
  const reason = one.unless?.(opened.fixture)
  if (reason !== undefined) return reason
  const session = new Session(opened.fixture, opened.device, options)
  try {
    const late = await one.run(session)
    await session.finish()
    return typeof late === 'string' ? late : undefined
  } catch (error) {
    // The case left its grants behind; its own error is the one to report, not what this finds.
    await session.finish().catch(() => {})
    throw error
  }
}
