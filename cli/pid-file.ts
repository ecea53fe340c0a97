// cli/pid-file.ts: upgrade without a lost connection: the new process takes over from the old one.
//
// Both listen on the same ports for a moment (SO_REUSEPORT). Once the new one serves, it asks the process named
// in the file to shut down, which then drains, and writes itself there. Nothing is sent to a process that is
// not Sluice: its command line must name this program's main file.

import { readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { OperationsLog } from '../workers/supervisor.ts'

export class PidFile {
  private readonly path: string
  private readonly log: OperationsLog

  constructor(path: string, log: OperationsLog) {
    this.path = path
    this.log = log
  }

  // The process that serves already; 0 when there is none.
  predecessor(): number {
    const pid = this.read()
    return pid === 0 || pid === process.pid || !isSluice(pid) ? 0 : pid
  }

  // Called once this process accepts connections.
  takeOver(): void {
    const before = this.predecessor()
    this.write()
    if (before === 0) return
    this.log.info(`taking over from process ${before}`)
    try {
      process.kill(before, 'SIGTERM')
    } catch (fault) {
      this.log.warn(`process ${before} could not be asked to end: ${String(fault)}`)
    }
  }

  // The file stays when a successor has written itself into it.
  leave(): void {
    if (this.read() !== process.pid) return
    try {
      unlinkSync(this.path)
    } catch {
      // gone already
    }
  }

  private read(): number {
    try {
      const pid = Number(readFileSync(this.path, 'utf8').trim())
      return Number.isSafeInteger(pid) && pid > 1 ? pid : 0
    } catch {
      return 0 // no file: nobody to take over from
    }
  }

  private write(): void {
    const beside = `${this.path}.${process.pid}`
    try {
      writeFileSync(beside, `${process.pid}\n`)
      renameSync(beside, this.path)
    } catch (fault) {
      this.log.error(`the pid file could not be written: ${String(fault)}`)
    }
  }
}

function isSluice(pid: number): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')
    return words.some((word) => basename(word) === 'main.ts')
  } catch {
    return false
  }
}
