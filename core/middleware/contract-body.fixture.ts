// core/middleware/contract-body.fixture.ts: options of the middlewares that touch bodies, for contract.test.ts.

export function bodyOptions(evil: string): Record<string, unknown[]> {
  const rewriting = {
    replacements: [
      { literal: 'a', regex: '', replacement: evil },
      { literal: '', regex: '(?P<a>.)', replacement: `$a${evil}` },
    ],
    contentTypes: ['text/*', evil],
    maxBytes: 1000,
    whenTooLong: 'fail',
  }
  return {
    bodyRewrite: [
      { ...rewriting, requests: null },
      { ...rewriting, replacements: [], requests: rewriting },
    ],
    buffering: [
      {
        maxRequestBodyBytes: 10,
        memRequestBodyBytes: 5,
        maxResponseBodyBytes: 10,
        memResponseBodyBytes: 5,
        retryExpression: 'Attempts() < 3 && IsNetworkError()',
        disableRequestBuffer: false,
        disableResponseBuffer: false,
      },
    ],
    compress: [
      {
        encodings: ['gzip', 'br', 'zstd'],
        defaultEncoding: '',
        minResponseBodyBytes: 1024,
        excludedContentTypes: [],
        includedContentTypes: [],
      },
      {
        encodings: ['br'],
        defaultEncoding: 'br',
        minResponseBodyBytes: 1,
        excludedContentTypes: [],
        includedContentTypes: [evil],
      },
    ],
  }
}
