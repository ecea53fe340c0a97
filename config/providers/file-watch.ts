// config/providers/file-watch.ts: watches a changing set of folders by inotify.
//
// Folders are watched, never files: a rename over a file, or a swapped link, is seen only from its folder.
// A folder that was removed and made again is another inode, so watches are compared by that. Hot: no.

import { statSync, watch, type FSWatcher } from 'node:fs'

interface Watched {
  readonly inode: string
  readonly watcher: FSWatcher
}

export class FolderWatch {
  private readonly onChange: () => void
  private readonly watched = new Map<string, Watched>()

  constructor(onChange: () => void) {
    this.onChange = onChange
  }

  // Whether all of them are watched now; if not, the caller must look from time to time.
  set(folders: ReadonlySet<string>): boolean {
    for (const folder of this.watched.keys()) if (!folders.has(folder)) this.drop(folder)
    let all = true
    for (const folder of folders) if (!this.add(folder)) all = false
    return all
  }

  close(): void {
    for (const folder of this.watched.keys()) this.drop(folder)
  }

  private add(folder: string): boolean {
    const inode = inodeOf(folder)
    if (this.watched.get(folder)?.inode === inode && inode !== '') return true
    this.drop(folder)
    if (inode === '') return false
    try {
      const watcher = watch(folder, { persistent: false }, this.onChange)
      watcher.on('error', () => {
        this.drop(folder)
        this.onChange()
      })
      this.watched.set(folder, { inode, watcher })
      return true
    } catch {
      return false // no inotify instances or watches left, or the folder went away
    }
  }

  private drop(folder: string): void {
    this.watched.get(folder)?.watcher.close()
    this.watched.delete(folder)
  }
}

function inodeOf(folder: string): string {
  try {
    const { dev, ino } = statSync(folder, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return ''
  }
}
