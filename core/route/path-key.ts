// core/route/path-key.ts: a path of a rule in one small integer, to refuse most paths without looking at it.
//
// Hot: yes. In a large table the cost of a match is that of memory that is not in a cache. The keys of a
// group lie side by side, so ten entries are refused out of two cache lines; the entry, its path and its
// router are touched only for what is likely to match.
//
//   bits 0-9 length | 10-17 last character | 18-25 middle character; 0 says nothing: look at the path

const LENGTH_MAX = 1023

export function pathKeyOf(path: string): number {
  const { length } = path
  if (length === 0 || length > LENGTH_MAX) return 0
  const last = path.charCodeAt(length - 1) & 255
  const middle = path.charCodeAt(length >> 1) & 255
  return length | (last << 10) | (middle << 18)
}

// False only when the path of the key is neither `path` nor a prefix of it.
export function mayBegin(key: number, path: string): boolean {
  const length = key & LENGTH_MAX
  if (length === 0) return true
  if (length > path.length) return false
  if ((path.charCodeAt(length - 1) & 255) !== ((key >> 10) & 255)) return false
  return (path.charCodeAt(length >> 1) & 255) === key >> 18
}
