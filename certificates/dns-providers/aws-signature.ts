// certificates/dns-providers/aws-signature.ts: Signature Version 4 of Amazon's services. Hot: no.

import { createHash, createHmac } from 'node:crypto'

const REGION = 'us-east-1' // of services without regions

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string // '' for none
}

export interface SignedRequest {
  readonly method: string
  readonly url: string
  readonly body: string
}

export function signV4(
  request: SignedRequest,
  credentials: AwsCredentials,
  service: string,
  nowMs: number,
): Record<string, string> {
  const url = new URL(request.url)
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d{3}/g, '')
  const scope = `${time.slice(0, 8)}/${REGION}/${service}/aws4_request`
  const { sessionToken } = credentials
  const headers: Record<string, string> = {
    host: url.host,
    'x-amz-date': time,
    ...(sessionToken !== '' && { 'x-amz-security-token': sessionToken }),
  }
  const names = Object.keys(headers).toSorted()
  const query = [...url.searchParams].map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
  const canonical = [
    request.method,
    url.pathname,
    query.toSorted().join('&'),
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    hash(request.body),
  ].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', time, scope, hash(canonical)].join('\n')
  const steps = [time.slice(0, 8), REGION, service, 'aws4_request']
  const key = steps.reduce<Buffer>(hmac, Buffer.from(`AWS4${credentials.secretAccessKey}`))
  const signature = hmac(key, toSign).toString('hex')
  const credential = `Credential=${credentials.accessKeyId}/${scope}`
  const authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  return { ...headers, authorization }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
