// Route 53, Google Cloud DNS and Azure DNS: what is signed, what is read before it is changed, and what is waited for.

import { createVerify, generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { signV4 } from '../../certificates/dns-providers/aws-signature.ts'
import { type Asked, NAME, type Reply, lines, nobody, record, scene } from './fake-service.ts'

function zone(id: string, isPrivate: boolean): string {
  return (
    `<HostedZone><Id>/hostedzone/${id}</Id><Name>example.org.</Name><CallerReference>x</CallerReference>` +
    `<Config><PrivateZone>${isPrivate}</PrivateZone></Config></HostedZone>`
  )
}

describe('route53', () => {
  // One zone, one private one of the same name, one set of values.
  class Route53 {
    values: string[] = []
    ttl = ''
    readonly handler = ({ method, path, query, text }: Asked): Reply => {
      if (path.endsWith('/hostedzonesbyname')) return { text: this.zones(query.get('dnsname')!) }
      if (path.includes('/change/')) return { text: this.change('INSYNC') }
      if (method === 'GET') return { text: this.set() }
      return this.apply(text)
    }

    private zones(name: string): string {
      const found = name === 'example.org' ? zone('ZPRIV', true) + zone('ZPUB', false) : ''
      return `<?xml version="1.0"?><ListHostedZonesByNameResponse><HostedZones>${found}</HostedZones></ListHostedZonesByNameResponse>`
    }

    private change(status: string): string {
      return `<X><ChangeInfo><Id>/change/C1</Id><Status>${status}</Status></ChangeInfo></X>`
    }

    private set(): string {
      const records = this.values
        .map((v) => `<ResourceRecord><Value>${v}</Value></ResourceRecord>`)
        .join('')
      const other =
        '<ResourceRecordSet><Name>z.example.org.</Name><Type>A</Type><TTL>1</TTL></ResourceRecordSet>'
      const own = `<ResourceRecordSet><Name>${NAME}.</Name><Type>TXT</Type><TTL>${this.ttl}</TTL><ResourceRecords>${records}</ResourceRecords></ResourceRecordSet>`
      return `<ListResourceRecordSetsResponse><ResourceRecordSets>${this.values.length > 0 ? own : other}</ResourceRecordSets></ListResourceRecordSetsResponse>`
    }

    private apply(text: string): Reply {
      const given = [...text.matchAll(/<Value>(.*?)<\/Value>/g)].map((match) => match[1]!)
      const isDelete = text.includes('<Action>DELETE</Action>')
      if (isDelete && given.join() !== this.values.join())
        return {
          status: 400,
          text: '<ErrorResponse><Error><Code>InvalidChangeBatch</Code><Message>not found</Message></Error></ErrorResponse>',
        }
      this.values = isDelete ? [] : given
      this.ttl = /<TTL>(\d+)<\/TTL>/.exec(text)![1]!
      return { text: this.change('PENDING') }
    }
  }

  const variables = {
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_SESSION_TOKEN: 'session',
  }

  test('Two values of one name come and go one by one, in the public zone, and each change is waited for', async () => {
    const fake = new Route53()
    const { provider, service } = await scene('route53', variables, fake.handler)
    await provider.present(record('v1'), nobody)
    await provider.present(record('v2'), nobody)
    expect(fake.values).toEqual(['&quot;v1&quot;', '&quot;v2&quot;'])
    await provider.cleanup(record('v1'), nobody)
    expect(fake.values).toEqual(['&quot;v2&quot;'])
    await provider.cleanup(record('v2'), nobody)
    expect(fake.values).toEqual([])
    const paths = lines(service)
    expect(paths).toContain('POST route53.amazonaws.com/2013-04-01/hostedzone/ZPUB/rrset/')
    expect(paths.filter((one) => one.endsWith('/change/C1'))).toHaveLength(4)
    const { authorization } = service.asked[0]!.headers
    expect(authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/us-east-1\/route53\/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}$/,
    )
    expect(JSON.stringify(service.asked)).not.toContain('"secret"')
  })

  test('A zone that is set is not looked for; a refusal has the code of the service', async () => {
    const refusal = {
      status: 403,
      text: '<R><Error><Code>AccessDenied</Code><Message>no</Message></Error></R>',
    }
    const { provider, service } = await scene(
      'route53',
      { ...variables, AWS_HOSTED_ZONE_ID: 'Z9' },
      () => refusal,
    )
    await expect(provider.present(record('v'), nobody)).rejects.toThrow('403 AccessDenied no')
    expect(lines(service)).toEqual(['GET route53.amazonaws.com/2013-04-01/hostedzone/Z9/rrset'])
  })

  // From Amazon's own test suite for Signature Version 4.
  test.each([
    ['/', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    [
      '/?Param2=value2&Param1=value1',
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
  ])('The signature of GET %s is the published one', (path, signature) => {
    const credentials = {
      accessKeyId: 'AKIDEXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
      sessionToken: '',
    }
    const request = { method: 'GET', url: `https://example.amazonaws.com${path}`, body: '' }
    const at = Date.UTC(2015, 7, 30, 12, 36)
    expect(signV4(request, credentials, 'service', at)['authorization']).toContain(
      `Signature=${signature}`,
    )
  })
})

describe('gcloud', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const account = {
    client_email: 'acme@project-1.iam.gserviceaccount.com',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    project_id: 'project-1',
    token_uri: 'https://oauth2.googleapis.com/token',
  }

  class CloudDns {
    set: { name: string; type: string; ttl: number; rrdatas: string[] } | null = null
    tokens = 0
    readonly handler = ({ method, path, query, text }: Asked): Reply => {
      if (path === '/token') return this.token(new URLSearchParams(text))
      if (path.endsWith('/managedZones')) {
        const zones = [
          { name: 'inside', visibility: 'private' },
          { name: 'outside', visibility: 'public' },
        ]
        return { json: { managedZones: query.get('dnsName') === 'example.org.' ? zones : [] } }
      }
      if (path.endsWith('/rrsets')) return { json: { rrsets: this.set === null ? [] : [this.set] } }
      if (method === 'GET') return { json: { id: '5', status: 'done' } }
      const { deletions, additions } = JSON.parse(text)
      if (JSON.stringify(deletions[0] ?? null) !== JSON.stringify(this.set)) return { status: 412 }
      this.set = additions[0] ?? null
      return { json: { id: '5', status: 'pending' } }
    }

    private token(form: URLSearchParams): Reply {
      const [head = '', body = '', signature = ''] = form.get('assertion')!.split('.')
      const isSigned = createVerify('sha256')
        .update(`${head}.${body}`)
        .verify(publicKey, signature, 'base64url')
      const claims = JSON.parse(Buffer.from(body, 'base64url').toString())
      const isRight =
        isSigned && claims.iss === account.client_email && claims.aud === account.token_uri
      if (!isRight || !claims.scope.endsWith('ndev.clouddns.readwrite')) return { status: 401 }
      this.tokens++
      return { json: { access_token: 'bearer-1', expires_in: 3599 } }
    }
  }

  test('Two values come and go by changes that name what was there, with one token for all', async () => {
    const fake = new CloudDns()
    const { provider, service } = await scene(
      'gcloud',
      { GCE_SERVICE_ACCOUNT: JSON.stringify(account) },
      fake.handler,
    )
    await provider.present(record('v1'), nobody)
    await provider.present(record('v2'), nobody)
    expect(fake.set).toEqual({ name: `${NAME}.`, type: 'TXT', ttl: 120, rrdatas: ['"v1"', '"v2"'] })
    await provider.cleanup(record('v1'), nobody)
    expect(fake.set!.rrdatas).toEqual(['"v2"'])
    await provider.cleanup(record('v2'), nobody)
    expect(fake.set).toBeNull()
    expect(fake.tokens).toBe(1)
    expect(lines(service)).toContain(
      'POST dns.googleapis.com/dns/v1/projects/project-1/managedZones/outside/changes',
    )
    expect(service.asked.at(-1)!.headers.authorization).toBe('Bearer bearer-1')
  })

  test('An account that is no JSON is refused without quoting it', async () => {
    const bad = { GCE_SERVICE_ACCOUNT: '{"private_key": "-----SECRET' }
    const fault = await scene('gcloud', bad, () => ({})).catch(String)
    expect(fault).toContain('is not JSON')
    expect(fault).not.toContain('SECRET')
  })
})

describe('azuredns', () => {
  const variables = {
    AZURE_CLIENT_ID: 'client',
    AZURE_CLIENT_SECRET: 'secret',
    AZURE_TENANT_ID: 'tenant',
    AZURE_SUBSCRIPTION_ID: 'sub',
  }

  class AzureDns {
    values: string[] = []
    etag = 0
    readonly handler = ({ method, path, query, headers, text }: Asked): Reply => {
      if (path === '/tenant/oauth2/v2.0/token')
        return text.includes('client_secret=secret')
          ? { json: { access_token: 't', expires_in: 3600 } }
          : { status: 401 }
      if (query.get('api-version') !== '2018-05-01' || headers.authorization !== 'Bearer t')
        return { status: 401 }
      if (path.endsWith('/dnsZones')) return this.zones(query)
      if (
        path !==
        '/subscriptions/sub/resourceGroups/rg/providers/Microsoft.Network/dnszones/example.org/TXT/_acme-challenge.a'
      )
        return { status: 400 }
      if (method === 'GET')
        return this.values.length === 0 ? { status: 404 } : { json: this.body() }
      const isCurrent =
        this.values.length === 0
          ? headers['if-none-match'] === '*'
          : headers['if-match'] === `e${this.etag}`
      if (!isCurrent) return { status: 412 }
      this.values =
        method === 'DELETE'
          ? []
          : JSON.parse(text).properties.TXTRecords.map(({ value }: { value: string[] }) =>
              value.join(''),
            )
      this.etag++
      return { json: {} }
    }

    private body(): object {
      return {
        etag: `e${this.etag}`,
        properties: { TTL: 60, TXTRecords: this.values.map((v) => ({ value: [v] })) },
      }
    }

    // Two pages, the zone on the second.
    private zones(query: URLSearchParams): Reply {
      const base = '/subscriptions/sub/resourceGroups/rg/providers/Microsoft.Network/dnszones'
      if (query.get('$skiptoken') === 'x')
        return { json: { value: [{ name: 'example.org', id: `${base}/example.org` }] } }
      const nextLink = `https://management.azure.com/subscriptions/sub/providers/Microsoft.Network/dnsZones?api-version=2018-05-01&$skiptoken=x`
      return { json: { value: [{ name: 'other.org', id: `${base}/other.org` }], nextLink } }
    }
  }

  test('Two values come and go, each change guarded against another in between', async () => {
    const fake = new AzureDns()
    const { provider, service } = await scene('azuredns', variables, fake.handler)
    await provider.present(record('v1'), nobody)
    await provider.present(record('v2'), nobody)
    expect(fake.values).toEqual(['v1', 'v2'])
    await provider.cleanup(record('v1'), nobody)
    await provider.cleanup(record('v2'), nobody)
    expect(fake.values).toEqual([])
    expect(lines(service)[0]).toBe('POST login.microsoftonline.com/tenant/oauth2/v2.0/token')
    expect(lines(service).filter((one) => one.includes('oauth2'))).toHaveLength(1)
  })

  test('A link to a next page on another host is not followed with our token', async () => {
    const { provider, service } = await scene('azuredns', variables, ({ path }) =>
      path.includes('oauth2')
        ? { json: { access_token: 't', expires_in: 3600 } }
        : { json: { value: [], nextLink: 'https://evil.example.net/x' } },
    )
    await expect(provider.present(record('v'), nobody)).rejects.toThrow('there is no zone')
    expect(service.asked.some(({ host }) => host.includes('evil'))).toBe(false)
  })
})
