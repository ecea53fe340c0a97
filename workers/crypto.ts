// workers/crypto.ts: the cryptography that middlewares are given; core/middleware/crypto.ts is the contract.
//
// Owner:  the worker, one for its life. Hot: no; each call costs a hash.

import { Buffer } from 'node:buffer'
import type { CryptoServices, PasswordVerdict } from '../core/middleware/crypto.ts'
import type { Cancel } from '../core/middleware/worker.ts'
import { cryptoModule } from './builtins.ts'
import { PasswordJobs } from './jobs.ts'

export class WorkerCrypto implements CryptoServices {
  private readonly secret: Uint8Array
  private readonly jobs: PasswordJobs

  constructor(secret: Uint8Array, jobs = new PasswordJobs()) {
    this.secret = secret
    this.jobs = jobs
  }

  md5(text: string): string {
    return cryptoModule().createHash('md5').update(text, 'latin1').digest('hex')
  }

  sha1(text: string): string {
    return cryptoModule().createHash('sha1').update(text, 'latin1').digest('base64')
  }

  mac(text: string): string {
    return cryptoModule()
      .createHmac('sha256', this.secret)
      .update(text, 'latin1')
      .digest('base64url')
  }

  equal(a: string, b: string): boolean {
    const [one, other] = [Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')]
    return one.length === other.length && cryptoModule().timingSafeEqual(one, other)
  }

  random(bytes: number): string {
    return cryptoModule().randomBytes(bytes).toString('hex')
  }

  checkPassword(hash: string, password: string, done: PasswordVerdict): Cancel | null {
    return this.jobs.check(this.mac(`${hash} ${password}`), { hash, password }, done)
  }
}
