// Lines of htpasswd and htdigest files: what is understood, and what is said of the rest.
import { describe, expect, it } from 'vitest'
import { BCRYPT, MD5_CRYPT, SHA1, linesOfFile, readDigest, readPassword } from './htpasswd.ts'

const salted = 'abcdefghijklmnopqrstuv'
const bcrypt = `10$${'a'.repeat(53)}`

describe('readPassword', () => {
  it.each([
    [`ann:$2y$${bcrypt}`, BCRYPT],
    [`ann:$2a$${bcrypt}`, BCRYPT],
    [`ann:$2b$${bcrypt}`, BCRYPT],
    [`ann:$apr1$salt$${salted}`, MD5_CRYPT],
    [`ann:$1$salt$${salted}`, MD5_CRYPT],
    ['ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', SHA1],
  ])('reads %s', (line, scheme) => {
    expect(readPassword(line)).toMatchObject({ user: 'ann', scheme })
  })

  it('holds names as the bytes that a request brings', () => {
    expect(readPassword(`é:$apr1$salt$${salted}`)).toMatchObject({ user: '\xc3\xa9' })
  })

  it.each([
    ['ann', /expected user:hash/],
    [':x', /name of the user is empty/],
    ['a\rb:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', /control character/],
    ['ann:', /hash is missing/],
    ['ann:secret', /plain text is refused/],
    ['ann:secret1234567', /crypt\(3\) and plain text are refused|plain text is refused/],
    ['ann:abSecretSecre', /crypt\(3\) and plain text are refused/],
    ['ann:$6$secret$secret', /this kind of hash is not supported/],
    ['ann:$argon2id$secret', /this kind of hash is not supported/],
    ['ann:{SSHA}secret', /this kind of hash is not supported/],
    ['ann:{SHA}secret', /\{SHA\} is cut off/],
    ['ann:$apr1$secret', /MD5 is cut off/],
    ['ann:$2y$10$secret', /bcrypt is cut off/],
    [`ann:$2y$31$${'a'.repeat(53)}`, /cost of bcrypt is 31: expected 4 to 16/],
    [`ann:$2y$${bcrypt} `, /bcrypt is cut off/],
  ])('refuses %s without repeating what may be a secret', (line, reason) => {
    const said = readPassword(line)
    expect(said).toMatch(reason)
    expect(said).not.toMatch(/secret/i)
  })
})

describe('readDigest', () => {
  it('reads user, realm and hash', () => {
    expect(readDigest(`ann:shop:${'AB'.repeat(16)}`)).toEqual({
      user: 'ann',
      realm: 'shop',
      secret: 'ab'.repeat(16),
    })
  })

  it.each([
    ['ann:shop', /expected user:realm:hash/],
    ['ann:shop:secret', /the hash is none/],
    [`:shop:${'ab'.repeat(16)}`, /name of the user is empty/],
  ])('refuses %s', (line, reason) => {
    expect(readDigest(line)).toMatch(reason)
  })
})

it('lines of a file are counted with those that mean nothing', () => {
  expect(linesOfFile('# users\r\n\r\nann:x\r\n  \n bob:y ')).toEqual([
    { text: 'ann:x', number: 3 },
    { text: 'bob:y', number: 5 },
  ])
})
