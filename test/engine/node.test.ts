// The engine contract, kept by the `node` engine: it can do all of it.

import { describe } from 'vitest'
import { engineSuite } from './suite.ts'

describe('engine node', () =>
  engineSuite('node', {
    'closes a connection that sends no request after its compiled-in time':
      'nothing is compiled in; the case before has a time that was set',
    'answers 411 to a chunked request, whole or not, when its client is not said to be trusted':
      'it reads chunks itself, strictly',
    'refuses the preface of HTTP/2': 'it speaks HTTP/2: test/behaviour/h2',
  }))
