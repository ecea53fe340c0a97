// DNS services against a local server that answers as their documented API does; the three that sign are in
// dns-clouds.test.ts.

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { dnsProviderFactory, dnsProviderNames } from '../../certificates/dns-providers/by-name.ts'
import { Environment } from '../../certificates/dns-providers/environment.ts'
import { type Asked, NAME, type Reply, lines, nobody, record, scene } from './fake-service.ts'

describe('cloudflare', () => {
  const records = new Map<string, string>()
  const api = ({ method, path, query, text }: Asked): Reply => {
    if (path === '/client/v4/zones')
      return { json: { result: query.get('name') === 'example.org' ? [{ id: 'z1' }] : [] } }
    if (method === 'POST') {
      const { type, name, content, ttl } = JSON.parse(text)
      const id = `r${records.size}`
      records.set(id, `${type} ${name} ${content} ${ttl}`)
      return { json: { success: true, result: { id } } }
    }
    return records.delete(path.split('/').at(-1)!) ? { json: {} } : { status: 404 }
  }

  test('A record is made in the zone of the account and taken away again', async () => {
    const { provider, service } = await scene('cloudflare', { CF_DNS_API_TOKEN: 'secret' }, api)
    const one = record('v1')
    await provider.present(one, nobody)
    expect([...records.values()]).toEqual([`TXT ${NAME} "v1" 120`])
    await provider.cleanup(one, nobody)
    expect(records.size).toBe(0)
    expect(lines(service).slice(-2)).toEqual([
      'POST api.cloudflare.com/client/v4/zones/z1/dns_records',
      'DELETE api.cloudflare.com/client/v4/zones/z1/dns_records/r0',
    ])
    expect(service.asked.every(({ headers }) => headers.authorization === 'Bearer secret')).toBe(
      true,
    )
  })

  test('A key with an email, and a token for zones alone, are sent as such', async () => {
    const old = await scene('cloudflare', { CF_API_EMAIL: 'a@b.c', CF_API_KEY: 'key' }, api)
    await old.provider.present(record('v1'), nobody)
    expect(old.service.asked[0]!.headers).toMatchObject({
      'x-auth-email': 'a@b.c',
      'x-auth-key': 'key',
    })
    const both = { CLOUDFLARE_DNS_API_TOKEN: 'dns', CLOUDFLARE_ZONE_API_TOKEN: 'zone' }
    const two = await scene('cloudflare', both, api)
    await two.provider.present(record('v1'), nobody)
    expect(two.service.asked[0]!.headers.authorization).toBe('Bearer zone')
    expect(two.service.asked.at(-1)!.headers.authorization).toBe('Bearer dns')
    records.clear()
  })

  test('A refusal is an error with the reason of the service and without the token', async () => {
    const refusal = {
      status: 403,
      json: { errors: [{ code: 9109, message: 'Invalid access token' }] },
    }
    const { provider } = await scene('cloudflare', { CF_DNS_API_TOKEN: 'secret' }, () => refusal)
    const fault = await provider.present(record('v1'), nobody).catch(String)
    expect(fault).toContain('cloudflare: GET /client/v4/zones: 403 Invalid access token')
    expect(fault).not.toContain('secret')
  })

  test('A zone that the account does not have is an error', async () => {
    const { provider } = await scene('cloudflare', { CF_DNS_API_TOKEN: 's' }, () => ({
      json: { result: [] },
    }))
    await expect(provider.present(record('v'), nobody)).rejects.toThrow('no zone that')
  })
})

describe('digitalocean', () => {
  test('A record is made under its relative name and taken away again', async () => {
    const records = new Map<string, unknown>()
    const { provider, service } = await scene(
      'digitalocean',
      { DO_AUTH_TOKEN: 'secret' },
      (asked) => {
        const { method, path, text } = asked
        if (method === 'GET')
          return { status: path === '/v2/domains/example.org' ? 200 : 404, json: {} }
        if (method === 'DELETE')
          return { status: records.delete(path.split('/').at(-1)!) ? 204 : 404 }
        records.set('17', JSON.parse(text))
        return { status: 201, json: { domain_record: { id: 17 } } }
      },
    )
    const one = record('v1')
    await provider.present(one, nobody)
    expect(records.get('17')).toEqual({
      type: 'TXT',
      name: '_acme-challenge.a',
      data: 'v1',
      ttl: 30,
    })
    await provider.cleanup(one, nobody)
    expect(records.size).toBe(0)
    expect(service.asked.at(-1)!.headers.authorization).toBe('Bearer secret')
    expect(lines(service).at(-1)).toBe(
      'DELETE api.digitalocean.com/v2/domains/example.org/records/17',
    )
  })
})

describe('httpreq', () => {
  const variables = {
    HTTPREQ_ENDPOINT: 'https://hook.example.net/dns/',
    HTTPREQ_USERNAME: 'u',
    HTTPREQ_PASSWORD: 'p',
  }

  test('The webhook is told the name and the value, with the credentials of the operator', async () => {
    const { provider, service } = await scene('httpreq', variables, () => ({}))
    await provider.present(record('v1'), nobody)
    await provider.cleanup(record('v1'), nobody)
    expect(lines(service)).toEqual([
      'POST hook.example.net/dns/present',
      'POST hook.example.net/dns/cleanup',
    ])
    expect(JSON.parse(service.asked[0]!.text)).toEqual({ fqdn: `${NAME}.`, value: 'v1' })
    const basic = `Basic ${Buffer.from('u:p').toString('base64')}`
    expect(service.asked[0]!.headers.authorization).toBe(basic)
  })

  test('In RAW mode it is told the domain and the key authorization', async () => {
    const { provider, service } = await scene(
      'httpreq',
      { ...variables, HTTPREQ_MODE: 'RAW' },
      () => ({}),
    )
    await provider.present(record('v1'), nobody)
    expect(JSON.parse(service.asked[0]!.text)).toEqual({
      domain: 'a.example.org',
      token: 'tok',
      keyAuth: 'tok.key',
    })
  })

  test('What the webhook refuses fails', async () => {
    const { provider } = await scene('httpreq', variables, () => ({ status: 500 }))
    await expect(provider.present(record('v1'), nobody)).rejects.toThrow(
      'httpreq: POST /dns/present: 500',
    )
  })
})

function program(body: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-exec-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'hook')
  writeFileSync(path, `#!/bin/sh\n${body}\n`)
  chmodSync(path, 0o755)
  return path
}

describe('exec', () => {
  test('The program is told what to do, as words of its own, without a shell between', async () => {
    const path = program('printf "%s|" "$@" >> "$0.log"')
    const { provider } = await scene('exec', { EXEC_PATH: path }, () => ({}))
    await provider.present(record('-v$(x) y'), nobody)
    await provider.cleanup(record('v'), nobody)
    expect(readFileSync(`${path}.log`, 'utf8')).toBe(
      `present|${NAME}.|-v$(x) y|cleanup|${NAME}.|v|`,
    )
    const raw = await scene('exec', { EXEC_PATH: path, EXEC_MODE: 'RAW' }, () => ({}))
    await raw.provider.present(record('v'), nobody)
    expect(readFileSync(`${path}.log`, 'utf8')).toContain('present|--|a.example.org|tok|tok.key|')
  })

  test('A program that fails, and one that is not there, are errors', async () => {
    const { provider } = await scene('exec', { EXEC_PATH: program('exit 3') }, () => ({}))
    await expect(provider.present(record('v'), nobody)).rejects.toThrow('present ended with 3')
    const none = await scene('exec', { EXEC_PATH: program('') + '-gone' }, () => ({}))
    await expect(none.provider.present(record('v'), nobody)).rejects.toThrow('ENOENT')
  })
})

describe('Settings of DNS services', () => {
  test.each(dnsProviderNames)('%s says which variable is missing', async (name) => {
    await expect(scene(name, {}, () => ({}))).rejects.toThrow(/^[a-z0-9]+: the variable [A-Z0-9_]+/)
  })

  test('A provider that is not built in is named, with those that are', async () => {
    await expect(dnsProviderFactory('ovh')).rejects.toThrow(/"ovh" is not built in \(exec, httpreq/)
    await expect(dnsProviderFactory('toString')).rejects.toThrow('not built in')
  })

  test('A value may lie in a file, as secrets of containers do; times are seconds', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-env-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(join(folder, 'token'), 'from a file\n')
    const variables = { DO_AUTH_TOKEN_FILE: join(folder, 'token'), DO_PROPAGATION_TIMEOUT: '7' }
    const environment = new Environment(variables, 'digitalocean')
    expect(environment.needed('DO_AUTH_TOKEN')).toBe('from a file')
    expect(environment.times('DO', 60, 5)).toEqual({
      propagationTimeoutMs: 7000,
      pollIntervalMs: 5000,
    })
    expect(() => new Environment({ X: '1.5' }, 's').ms(1, 'X')).toThrow('not a whole number')
    expect(() => new Environment({ X: 'file:///etc' }, 's').url('', 'X')).toThrow('no URL')
  })
})
