/** Images as files: the Engine's own reading and writing of them. */
import { Readable } from 'node:stream';
import { failure } from '../../base/errors.ts';
import type { ArchiveFormat, CallContext, LoadedImage } from '../../engine/engine.ts';
import { isAtLeast } from '../api/api-version.ts';
import { jsonLines } from '../api/read-lines.ts';
import type { ImageDeps } from './image-deps.ts';
import { completeName, inspectImage } from './inspect-image.ts';
import { removeName, tagImage } from './remove-image.ts';

/** Reading and writing of a large image. */
const archiveMs = 3_600_000;

/** See ImageEngine.load. What the Engine cannot read: invalid-argument, in its words. */
export async function loadImages(deps: ImageDeps, bytes: AsyncIterable<Uint8Array>, { name, ctx }: { readonly name: string | undefined; readonly ctx: CallContext }): Promise<LoadedImage[]> {
  const act = { act: 'load images' };
  const answer = await deps.api.stream({ act, method: 'POST', path: '/images/load', query: { quiet: true }, bytes: Readable.from(bytes), headers: { 'content-type': 'application/x-tar' }, deadlineMs: archiveMs, signal: ctx.signal });
  const loaded = new Map<string, string[]>();
  for await (const { stream = '', error } of jsonLines<{ stream?: string; error?: string }>(answer)) {
    if (error !== undefined) throw failure('invalid-argument', { ...act, why: `the Docker Engine says: ${error}` });
    const [, called] = /^Loaded image(?: ID)?: (\S+)/.exec(stream) ?? [];
    const found = called === undefined ? undefined : await inspectImage(deps.api, called);
    if (found === undefined) continue;
    const known = loaded.get(found.Id) ?? [];
    loaded.set(found.Id, called!.startsWith('sha256:') ? known : [...known, completeName(called!) ?? called!]);
  }
  if (loaded.size === 0) throw failure('invalid-argument', { ...act, why: 'the Docker Engine found no image in the archive' });
  return name === undefined ? [...loaded].map(([id, names]) => ({ id, names })) : [await rename(deps, loaded, name)];
}

async function rename(deps: ImageDeps, loaded: ReadonlyMap<string, readonly string[]>, name: string): Promise<LoadedImage> {
  const [first, ...others] = loaded;
  if (first === undefined || others.length > 0) throw failure('invalid-argument', { act: 'load images', object: name, why: `the archive has ${loaded.size} images: one name can be given to one only` });
  const [id, names] = first;
  await tagImage(deps, id, name);
  const target = completeName(name)!;
  for (const old of names) if (old !== target) await removeName(deps, old);
  return { id, names: [target] };
}

/** See ImageEngine.save. A format that this Engine does not write: failed-precondition. */
export async function* saveImages(deps: ImageDeps, names: readonly string[], format: ArchiveFormat, ctx: CallContext): AsyncGenerator<Uint8Array> {
  const act = { act: 'save images', object: names.join(', ') };
  // From Docker 25 on its archives are both at once.
  if (format === 'oci-archive' && !isAtLeast(await deps.api.version(), '1.44')) throw failure('failed-precondition', { ...act, why: 'the Docker Engine of this version writes no OCI archives: Docker 25 does, or take docker-archive' });
  for (const name of names) {
    if ((await inspectImage(deps.api, name)) === undefined) throw failure('not-found', { act: 'save image', object: name, why: 'it is not on this node' });
  }
  const query = names.map((name) => `names=${encodeURIComponent(completeName(name) ?? name)}`).join('&');
  const answer = await deps.api.stream({ act, path: `/images/get?${query}`, deadlineMs: archiveMs, signal: ctx.signal });
  for await (const chunk of answer as AsyncIterable<Buffer>) yield chunk;
}
