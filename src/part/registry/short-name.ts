/** Names without a registry, as registries.conf completes them (containers-registries.conf(5), "Short-name aliases"). */
import { failure } from '../../base/errors.ts';
import { parseReference } from './reference.ts';
import type { ImageReference } from './reference.ts';
import type { RegistriesConf } from './registries-conf.ts';

/**
 * What a text may stand for, in the order to try: a complete name stands for itself; a short one for its alias, else for itself at each
 * search registry, and with none listed for Docker Hub's. Malformed: invalid-argument. Several search registries in enforcing mode:
 * failed-precondition, as nobody is there to be asked.
 */
export function candidatesOf(text: string, { aliases, searchRegistries, shortNameMode }: RegistriesConf): ImageReference[] {
  const plain = parseReference(text);
  if (!isShort(text, plain)) return [plain];
  const [, name = '', rest = ''] = /^([^:@]+)(.*)$/s.exec(text) ?? [];
  const alias = aliases.get(name);
  if (alias !== undefined && alias !== '') return [parseReference(`${alias}${rest}`)];
  if (searchRegistries.length === 0) return [plain];
  if (searchRegistries.length > 1 && shortNameMode === 'enforcing') {
    throw failure('failed-precondition', { act: 'complete image name', object: text, why: `it may be at any of ${searchRegistries.join(', ')}, and short-name-mode is enforcing; write the registry too, or an alias` });
  }
  return searchRegistries.map((registry) => parseReference(`${registry}/${text}`));
}

function isShort(text: string, { host, repository }: ImageReference): boolean {
  return host === 'docker.io' && !/^(index\.)?docker\.io\//.test(text) && repository.endsWith(text.split(/[:@]/, 1)[0] ?? '');
}
