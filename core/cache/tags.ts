// core/cache/tags.ts: names that a server gives its responses so that they can be purged together: Cache-Tag, with
// commas, and Surrogate-Key, with spaces. Hot: no; once per response that is stored.

import type { Head } from '../headers.ts'

export const TAGS_MAX = 64 // of one response; those beyond are passed over
export const TAG_MAX = 256 // characters

export function tagsOf(response: Head): readonly string[] {
  const tags = [
    ...response.getAll('cache-tag').flatMap((line) => line.split(',')),
    ...response.getAll('surrogate-key').flatMap((line) => line.split(' ')),
  ]
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '' && tag.length <= TAG_MAX)
  return tags.length === 0 ? noTags : [...new Set(tags)].slice(0, TAGS_MAX)
}

const noTags: readonly string[] = []
