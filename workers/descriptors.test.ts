import { expect, test } from 'vitest'
import { isReserved, readDescriptorsMax } from './descriptors.ts'

test('the last 32 descriptors are no client connections, of a small limit an eighth', () => {
  expect([isReserved(967, 1000), isReserved(968, 1000), isReserved(999, 1000)]).toEqual([
    false,
    true,
    true,
  ])
  expect([isReserved(55, 64), isReserved(56, 64)]).toEqual([false, true])
})

test('where the limit is not known every descriptor is taken', () => {
  expect(isReserved(1_000_000, 0)).toBe(false)
  expect(isReserved(-1, 1000)).toBe(false) // nor has every handle one
})

test('the limit of this process is a number', () => {
  expect(readDescriptorsMax()).toBeGreaterThan(process.platform === 'linux' ? 16 : -1)
})
