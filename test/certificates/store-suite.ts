// test/certificates/store-suite.ts: what every store of certificates promises; each kind's own test file runs it.

import { expect, test } from 'vitest'
import type { CertificateStore } from '../../certificates/storage/contract.ts'

// `open` gives a store of its own for the same place, as another gateway would have it.
export function storeSuite(open: () => CertificateStore | Promise<CertificateStore>): void {
  test('A resolver that was never stored is empty', async () => {
    const store = await open()
    expect(await store.read('nobody')).toEqual({})
    await store.close()
  })

  test('What one gateway writes under its lease another reads, and other resolvers stay', async () => {
    const [one, two] = [await open(), await open()]
    for (const resolver of ['first', 'second']) {
      const lease = (await one.acquire(resolver))!
      await one.write(lease, (block) => ({ ...block, Account: { of: resolver } }))
      await one.release(lease)
    }
    expect(await two.read('first')).toEqual({ Account: { of: 'first' } })
    expect(await two.read('second')).toEqual({ Account: { of: 'second' } })
    await Promise.all([one.close(), two.close()])
  })

  test('While one gateway has the lease another gets none, and then it does', async () => {
    const [one, two] = [await open(), await open()]
    const lease = (await one.acquire('shared'))!
    expect(await two.acquire('shared')).toBeNull()
    expect(await one.renew(lease)).toBe(true)
    await one.release(lease)
    const next = await two.acquire('shared')
    expect(next).not.toBeNull()
    await two.release(next!)
    await Promise.all([one.close(), two.close()])
  })

  test('Twenty changes one after another are all kept', async () => {
    const store = await open()
    const lease = (await store.acquire('many'))!
    const add = (i: number) => store.write(lease, (block) => ({ ...block, [`n${i}`]: i }))
    await Promise.all(Array.from({ length: 20 }, (_, i) => add(i)))
    expect(Object.keys(await store.read('many'))).toHaveLength(20)
    await store.release(lease)
    await store.close()
  })

  test('A lease that was released, or that another took over, writes nothing', async () => {
    const [one, two] = [await open(), await open()]
    const lease = (await one.acquire('lost'))!
    await one.release(lease)
    const other = (await two.acquire('lost'))!
    expect(await one.renew(lease)).toBe(false)
    await expect(one.write(lease, () => ({ mine: true }))).rejects.toThrow('lock')
    expect(await two.read('lost')).toEqual({})
    await two.release(other)
    await Promise.all([one.close(), two.close()])
  })
}
