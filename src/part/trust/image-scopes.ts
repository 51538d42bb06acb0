import { fullName } from './image-name.ts';
import type { ImageName } from './image-name.ts';

/**
 * The scopes of the `docker` transport that an image is in, the narrowest first (containers-policy.json(5), "docker:"): the image
 * itself, its repository, each namespace above it, the host with its port, and `*.domain` for each domain above the host.
 */
export function scopesOf(image: ImageName): readonly string[] {
  const elements = image.name.split('/');
  const parents = elements.map((_, index) => elements.slice(0, elements.length - index).join('/'));
  const labels = elements[0]!.replace(/:.*$/, '').split('.');
  const wildcards = labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`);
  return [fullName(image), ...parents, ...wildcards];
}
