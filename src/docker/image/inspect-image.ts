import { isKind } from '../../base/errors.ts';
import { formatReference, parseReference } from '../../part/registry/reference.ts';
import type { EngineApi } from '../api/engine-api.ts';
import type { ImageInspect } from '../api/engine-answers.ts';

const idForm = /^(?:sha256:)?[0-9a-f]{12,64}$/;

/** The image that a name, an id or the beginning of one means; undefined when it is not here, or nothing could be called so. */
export async function inspectImage(api: EngineApi, name: string): Promise<ImageInspect | undefined> {
  const asName = idForm.test(name) ? name : completeName(name);
  return asName === undefined ? undefined : await ask(api, asName);
}

async function ask(api: EngineApi, name: string): Promise<ImageInspect | undefined> {
  try {
    return await api.call<ImageInspect>({ act: { act: 'inspect image', object: name }, path: `/images/${name}/json` });
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  }
}

/** With its registry and a tag or digest; undefined for what is no name. */
export function completeName(name: string): string | undefined {
  try {
    return formatReference(parseReference(name));
  } catch (error) {
    if (isKind(error, 'invalid-argument')) return undefined;
    throw error;
  }
}
