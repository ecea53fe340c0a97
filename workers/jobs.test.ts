// Passwords beside the event loop: one at a time, identical ones once, a bounded queue, and the hashes of others.
import { execFileSync } from 'node:child_process'
import { hashSync } from 'bcryptjs'
import { describe, expect, it } from 'vitest'
import { eventually } from '../test/support/wait.ts'
import checkPassword from './job-thread.ts'
import { onDefect } from './socket.ts'
import { PasswordJobs, WAITING_MAX, type PasswordJob } from './jobs.ts'

function scripted() {
  const started: { job: PasswordJob; end: (isRight: boolean) => void; fail: () => void }[] = []
  const jobs = new PasswordJobs(
    (job) =>
      new Promise((resolve, reject) => {
        started.push({ job, end: resolve, fail: () => reject(new Error('thread ended')) })
      }),
  )
  const verdicts: string[] = []
  const ask = (name: string) =>
    jobs.check(name, { hash: 'h', password: name }, (isRight, failed) =>
      verdicts.push(`${name} ${isRight}${failed ? ' failed' : ''}`),
    )
  const began = (count: number) => eventually(`${count} jobs`, () => started.length === count)
  return { started, verdicts, ask, began }
}

describe('the queue', () => {
  it('runs one job after the other, and identical ones once', async () => {
    const { started, verdicts, ask, began } = scripted()
    for (const name of ['a', 'b', 'a', 'b', 'a']) ask(name)
    await began(1)
    expect(verdicts).toEqual([])
    started[0]!.end(true)
    await began(2)
    expect(verdicts).toEqual(['a true', 'a true', 'a true'])
    started[1]!.end(false)
    await eventually('all verdicts', () => verdicts.length === 5)
    expect(verdicts.slice(3)).toEqual(['b false', 'b false'])
  })

  it('works off nothing that nobody waits for any more', async () => {
    const { started, verdicts, ask, began } = scripted()
    ask('a')
    const [cancel, other] = [ask('b')!, ask('c')!]
    cancel()
    other()
    ask('c')
    await began(1)
    started[0]!.end(true)
    await began(2)
    expect(started[1]!.job.password).toBe('c')
    started[1]!.end(true)
    await eventually('the verdict', () => verdicts.length === 2)
    expect(verdicts).toEqual(['a true', 'c true'])
  })

  it('is bounded, and makes room when those in it have left', async () => {
    const { ask, began } = scripted()
    ask('running')
    await began(1)
    const cancels = Array.from({ length: WAITING_MAX }, (_, i) => ask(`w${i}`))
    expect(cancels).not.toContain(null)
    expect(ask('more')).toBe(null)
    expect(ask('w7')).not.toBe(null) // the same as one that waits
    cancels[3]!()
    expect(ask('more')).not.toBe(null)
  })

  it('tells whoever waits when a job fails, and goes on', async () => {
    const defects: unknown[] = []
    onDefect((defect) => defects.push(defect))
    const { started, verdicts, ask, began } = scripted()
    ask('a')
    ask('b')
    await began(1)
    started[0]!.fail()
    await began(2)
    started[1]!.end(true)
    await eventually('both', () => verdicts.length === 2)
    expect(verdicts).toEqual(['a false failed', 'b true'])
    expect(String(defects)).toBe('Error: thread ended')
  })
})

describe('a job', () => {
  const passwords = ['p', 'a password', 'sixteen bytes ..', 'longer than sixteen bytes', 'pässwörd']
  const latin1 = (text: string) => Buffer.from(text, 'utf8').toString('latin1')

  it.each(passwords)('knows bcrypt in all its spellings: %s', (password) => {
    const hash = hashSync(password, 4)
    for (const version of ['$2a$', '$2b$', '$2y$']) {
      const spelled = version + hash.slice(4)
      expect(checkPassword({ hash: spelled, password: latin1(password) })).toBe(true)
      expect(checkPassword({ hash: spelled, password: 'other' })).toBe(false)
    }
  })

  it.each(passwords)('knows the MD5 of Apache and of crypt(3) as openssl does: %s', (password) => {
    for (const kind of ['-apr1', '-1']) {
      const hash = execFileSync('openssl', ['passwd', kind, '-salt', 'Sa/t.8', '-stdin'], {
        input: password,
      })
      const job = { hash: hash.toString().trim(), password: latin1(password) }
      expect(checkPassword(job)).toBe(true)
      expect(checkPassword({ ...job, password: `${job.password}x` })).toBe(false)
    }
  })

  it('runs in a thread of its own', async () => {
    const jobs = new PasswordJobs()
    const hash = hashSync('right', 4)
    const verdicts: boolean[] = []
    jobs.check('1', { hash, password: 'right' }, (isRight) => verdicts.push(isRight))
    jobs.check('2', { hash, password: 'wrong' }, (isRight) => verdicts.push(isRight))
    await eventually('two verdicts', () => verdicts.length === 2)
    expect(verdicts).toEqual([true, false])
  })
})
