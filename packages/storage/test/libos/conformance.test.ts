import { storageLibosConformance } from '@parakernel/libos-conformance'
import { mediaKinds } from './media.ts'
import { openVolume } from './volume.ts'

for (const kind of mediaKinds) {
  storageLibosConformance({
    name: `storage on ${kind.name}`,
    skip: kind.missing,
    unsupported: kind.powerCut ? {} : { powerCut: 'no test can take the power from the host' },
    setup: (setup) => openVolume(kind, setup),
  })
}
