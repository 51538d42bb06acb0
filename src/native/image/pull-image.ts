/** PullImage, read from top to bottom; docs/flow-pull-image.md walks through it. */
import { createHash } from 'node:crypto';
import { during, failure, isKind } from '../../base/errors.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { AuthConfig, ImageSpec } from '../../gen/cri.ts';
import { planPull, readRegistryView, ruleFor } from '../../part/registry/pull-plan.ts';
import type { RegistryView } from '../../part/registry/pull-plan.ts';
import { formatReference, parseReference } from '../../part/registry/reference.ts';
import type { ImageReference } from '../../part/registry/reference.ts';
import { RegistrySources } from '../../part/registry/registry-sources.ts';
import { candidatesOf } from '../../part/registry/short-name.ts';
import { checkPolicy } from './check-policy.ts';
import { fetchDocument } from './fetch-document.ts';
import { fetchLayers, pairLayers } from './fetch-layers.ts';
import type { ImageDeps } from './image-deps.ts';
import { logPull } from './log-pull.ts';
import type { PullProgress } from './pull-progress.ts';
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
  const text = request.image.image;
  parseReference(text); // a malformed name is told before any file is read
  if (deps.records.find(text) === undefined) deps.layers.prepare(); // of an image that is here most pulls bring nothing
  let candidates: ImageReference[] = [];
  try {
    const view = await readRegistryView(deps.registryFiles);
    candidates = candidatesOf(text, view.conf);
    for (const [index, reference] of candidates.entries()) {
      try {
        return await pullReference(deps, { ...request, reference, view }, ctx);
      } catch (error) {
        if (index === candidates.length - 1 || !isKind(error, 'not-found')) throw error;
      }
    }
    throw failure('internal', { act: 'complete image name', object: text, why: 'it stands for nothing' });
  } catch (error) {
    throw during(error, { act: 'pull image', object: candidates.length === 1 ? formatReference(candidates[0]!) : text });
  }
}

interface ReferencePull extends PullRequest {
  readonly reference: ImageReference;
  readonly view: RegistryView;
}

async function pullReference(deps: ImageDeps, request: ReferencePull, ctx: CallContext): Promise<string> {
  return await deps.pulls.run(pullKey(request), ctx.signal, (signal) =>
    deps.inFlight.during(request.image.image, (progress) => logPull(ctx.log, progress, () => pullOnce(deps, { ...request, progress }, { ...ctx, signal }))));
}

async function pullOnce(deps: ImageDeps, request: ReferencePull & { readonly progress: PullProgress }, ctx: CallContext): Promise<string> {
  const { reference, view, progress } = request;
  const stage = <T>(name: string, work: () => Promise<T>): Promise<T> => {
    progress.enter(name);
    return ctx.stages.run(name, work);
  };
  const plan = await planPull(reference, request.auth, view);
  const sources = new RegistrySources({ plan, health: deps.hostHealth, ruleFor: (host) => ruleFor(view, host), patience: deps.patience });
  const releases: (() => void)[] = [];
  try {
    const resolved = await stage('resolve', () => resolveManifest({ sources, reference, platform: deps.platform, signal: ctx.signal }));
    await stage('policy', () => checkPolicy({ files: deps.trustFiles, reference, resolved, sources, view, signal: ctx.signal }));
    const config = await stage('config', () => fetchDocument(sources, resolved.manifest.config, deps.platform, ctx.signal));
    const layers = pairLayers(resolved.manifest, config.document);
    const documents = [...resolved.documents, config];
    releases.push(deps.holds.hold([...config.document.diffIds, ...documents.map(({ digest }) => digest)]));

    await stage('layers', () => fetchLayers(deps, { sources, layers, progress, signal: ctx.signal }));
    return await stage('record', () => recordImage(deps, { reference, spec: request.image, digest: resolved.digest, documents, config }));
  } finally {
    sources.close();
    for (const release of releases) release();
  }
}

// Different credentials never share a pull: the registry must say yes to each. The key shows nothing of them.
function pullKey({ reference, image, auth }: ReferencePull): string {
  return `${formatReference(reference)} ${image.image} ${createHash('sha256').update(JSON.stringify(auth ?? null)).digest('hex')}`;
}
