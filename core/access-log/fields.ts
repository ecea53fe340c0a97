// core/access-log/fields.ts: every field that a line of the access log can hold. Names are Traefik's.
//
// Hot:    no; the settings of the log are compiled once into the list that core/access-log/line.ts walks.
// docs/access-log.md lists these fields; a test holds the two together.

export interface Field {
  readonly name: string
  readonly meaning: string
}

export const accessLogFields = [
  { name: 'StartUTC', meaning: 'When the request began, in UTC, with nanoseconds.' },
  { name: 'StartLocal', meaning: 'The same, in the time zone of the process.' },
  { name: 'Duration', meaning: 'From its first byte to the last byte of the answer; nanoseconds.' },
  { name: 'RouterName', meaning: 'The router that matched.' },
  { name: 'ServiceName', meaning: 'The service that answered.' },
  { name: 'ServiceURL', meaning: 'The server that was asked, as it was configured.' },
  { name: 'ServiceAddr', meaning: 'Its address and port, without the scheme.' },
  { name: 'ClientAddr', meaning: 'Address and port of the TCP peer.' },
  { name: 'ClientHost', meaning: 'X-Forwarded-For when a trusted peer sent one, else the peer.' },
  { name: 'ClientPort', meaning: 'Port of the TCP peer.' },
  { name: 'ClientUsername', meaning: 'The user that a middleware authenticated, or "-".' },
  { name: 'RequestAddr', meaning: 'The Host header.' },
  { name: 'RequestHost', meaning: 'The Host header without its port.' },
  { name: 'RequestPort', meaning: 'The port of the Host header, or "-".' },
  { name: 'RequestMethod', meaning: 'The method.' },
  { name: 'RequestPath', meaning: 'Path and query as they arrived.' },
  { name: 'RequestProtocol', meaning: 'HTTP/1.0 or HTTP/1.1.' },
  { name: 'RequestScheme', meaning: 'http or https.' },
  { name: 'RequestContentSize', meaning: 'Bytes of the request body.' },
  { name: 'OriginDuration', meaning: 'The part of Duration spent on the server; nanoseconds.' },
  { name: 'OriginContentSize', meaning: 'Bytes of body that the server sent.' },
  { name: 'OriginStatus', meaning: 'The status that the server sent.' },
  { name: 'DownstreamStatus', meaning: 'The status that the client got.' },
  { name: 'DownstreamContentSize', meaning: 'Bytes of body that the client got.' },
  { name: 'RequestCount', meaning: 'Number of the line since its worker started.' },
  { name: 'Overhead', meaning: 'Duration less OriginDuration; nanoseconds.' },
  { name: 'RetryAttempts', meaning: 'How often the request was sent again.' },
  { name: 'entryPointName', meaning: 'The entry point.' },
  { name: 'TLSVersion', meaning: 'With TLS: its version, as 1.3.' },
  { name: 'TLSCipher', meaning: 'With TLS: the cipher suite, by its name in the standards.' },
  { name: 'TLSClientSubject', meaning: 'With a client certificate: its subject.' },
  { name: 'SluiceError', meaning: 'The code of docs/errors.md when something went wrong.' },
] as const satisfies readonly Field[]

export type FieldName = (typeof accessLogFields)[number]['name']

// Kept for their names, so that settings made for Traefik are read; written once the gateway knows them.
export const accessLogFieldsLater = [
  'GzipRatio',
  'TraceId',
  'SpanId',
  'KubernetesIngressNamespace',
  'KubernetesIngressName',
  'KubernetesServiceName',
  'KubernetesServicePort',
] as const
