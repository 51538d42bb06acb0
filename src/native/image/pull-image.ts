/** PullImage, read from top to bottom; docs/flow-pull-image.md walks through it. */
import { createHash } from 'node:crypto';
import { during } from '../../base/errors.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { AuthConfig, ImageSpec } from '../../gen/cri.ts';
import { credentialsFor } from '../../part/registry/credentials.ts';
import { findEndpoint } from '../../part/registry/endpoint.ts';
import { formatReference, parseReference } from '../../part/registry/reference.ts';
import type { ImageReference } from '../../part/registry/reference.ts';
import { RegistrySession } from '../../part/registry/registry-session.ts';
import { fetchDocument } from './fetch-document.ts';
import { fetchLayers, pairLayers } from './fetch-layers.ts';
import type { ImageDeps } from './image-deps.ts';
import { recordImage } from './record-image.ts';
import { resolveManifest } from './resolve-manifest.ts';

export interface PullRequest {
  readonly image: ImageSpec;
  readonly auth: AuthConfig | undefined;
}

/**
 * Pulls what the reference names now, and returns the image id. The registry is always asked, also for what is here already: it decides
 * who may have the image. Only layers that are missing are downloaded. Concurrent pulls of one reference with the same credentials share one.
 */
export async function pullImage(deps: ImageDeps, request: PullRequest, ctx: CallContext): Promise<string> {
  const reference = parseReference(request.image.image);
  const name = formatReference(reference);
  try {
    return await deps.pulls.run(pullKey(name, request.auth), ctx.signal, (signal) => pullOnce(deps, { ...request, reference }, { ...ctx, signal }));
  } catch (error) {
    throw during(error, { act: 'pull image', object: name });
  }
}

async function pullOnce(deps: ImageDeps, request: PullRequest & { reference: ImageReference }, ctx: CallContext): Promise<string> {
  const { reference } = request;
  const endpoint = await findEndpoint(reference, deps);
  const session = new RegistrySession({ endpoint, credentials: credentialsFor(endpoint.host, request.auth), hostRules: deps.hostRules, patience: deps.patience });
  const releases: (() => void)[] = [];
  try {
    const resolved = await ctx.stages.run('resolve', () => resolveManifest({ session, reference, platform: deps.platform, signal: ctx.signal }));
    const config = await ctx.stages.run('config', () => fetchDocument(session, resolved.manifest.config, deps.platform, ctx.signal));
    const layers = pairLayers(resolved.manifest, config.document);
    const documents = [...resolved.documents, config];
    releases.push(deps.holds.hold([...config.document.diffIds, ...documents.map(({ digest }) => digest)]));

    await ctx.stages.run('layers', () => fetchLayers(deps, { session, layers, signal: ctx.signal }));
    return await ctx.stages.run('record', () => recordImage(deps, { reference, spec: request.image, digest: resolved.digest, documents, config }));
  } finally {
    session.close();
    for (const release of releases) release();
  }
}

// Different credentials never share a pull: the registry must say yes to each. The key shows nothing of them.
function pullKey(name: string, auth: AuthConfig | undefined): string {
  return `${name} ${createHash('sha256').update(JSON.stringify(auth ?? null)).digest('hex')}`;
}
