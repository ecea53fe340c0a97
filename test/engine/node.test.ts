// The engine contract, kept by the `node` engine: nothing is skipped.

import { describe } from 'vitest'
import { engineSuite } from './suite.ts'

describe('engine node', () => engineSuite('node'))
