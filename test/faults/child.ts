// test/faults/child.ts: scripts of this folder as processes of their own, which tell one thing to who has started them.

import { type ChildProcess, fork } from 'node:child_process'
import path from 'node:path'

export interface Told<Message> {
  readonly message: Message
  readonly child: ChildProcess
}

// What the script sends first; it may live on.
export function firstWord<Message>(script: string, ...words: number[]): Promise<Told<Message>> {
  const { promise, resolve, reject } = Promise.withResolvers<Told<Message>>()
  const child = fork(path.join(import.meta.dirname, script), words.map(String))
  child.once('error', reject)
  child.once('exit', (code) => reject(new Error(`${script} ended with ${code}`)))
  child.once('message', (message) => resolve({ message: message as Message, child }))
  return promise
}
