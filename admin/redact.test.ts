// What of the install configuration is shown.

import { expect, test } from 'vitest'
import { withoutSecrets } from './redact.ts'

test.each([
  ['redis://user:hush@a.test:6379', 'redis://xxxx@a.test:6379'],
  ['redis://user:hu/sh@a.test:6379', 'redis://xxxx@a.test:6379'],
  ['redis://user:hu#sh@a.test:6379', 'redis://xxxx@a.test:6379'],
  ['https://a.test/@me', 'https://a.test/@me'],
  ['10.0.0.1:6379', '10.0.0.1:6379'],
])('an address %s is shown as %s', (written, expected) => {
  expect(withoutSecrets({ endpoint: written }, null)).toEqual({ endpoint: expected })
})
