import { isKind } from '../../base/errors.ts';
import { matchesStars } from '../../base/star-pattern.ts';
import { formatReference, parseReference } from './reference.ts';

/**
 * Whether one of an image's names, or its id, is among the pinned ones (CRI Image.pinned): exact names in any form that a pull takes, or patterns in
 * which `*` stands for any characters, held against complete names.
 */
export function isPinned({ id, repoTags, repoDigests }: { readonly id: string; readonly repoTags: readonly string[]; readonly repoDigests: readonly string[] }, pinned: readonly string[]): boolean {
  const names = [...repoTags, ...repoDigests, id];
  return pinned.some((pattern) => (pattern.includes('*') ? names.some((name) => matchesStars(pattern, name)) : names.includes(completed(pattern))));
}

function completed(name: string): string {
  if (name.startsWith('sha256:')) return name;
  try {
    return formatReference(parseReference(name));
  } catch (error) {
    if (isKind(error, 'invalid-argument')) return name; // names no image, so it pins none
    throw error;
  }
}
