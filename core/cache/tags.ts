// core/cache/tags.ts: names that a server gives its responses so that they can be purged together: Cache-Tag, with
// commas, and Surrogate-Key, with spaces. Hot: no; once per response that is stored.
//
// A tag is the bytes of its field, as latin1; whoever purges writes UTF-8, which becomes the same (admin/caches.ts).

import type { Head } from '../headers.ts'

export const TAGS_MAX = 1000 // of one response: pages of Drupal and Magento have hundreds
export const TAG_MAX = 256 // bytes

// null: more or longer ones than we keep. A purge of one that was left out would leave the response where it is.
export function tagsOf(response: Head): readonly string[] | null {
  const given = [
    ...response.getAll('cache-tag').flatMap((line) => line.split(',')),
    ...response.getAll('surrogate-key').flatMap((line) => line.split(' ')),
  ]
  const tags = new Set(given.map(trimmed).filter((tag) => tag !== ''))
  if (tags.size > TAGS_MAX || [...tags].some((tag) => tag.length > TAG_MAX)) return null
  return tags.size === 0 ? noTags : [...tags]
}

const noTags: readonly string[] = []

// Blanks of HTTP only: trim() would take the last byte of a letter such as "à" in UTF-8 for one.
function trimmed(tag: string): string {
  return tag.replace(/^[ \t]+|[ \t]+$/g, '')
}
