import { failure } from '../../../base/errors.ts';
import { adoptableRuntimes } from '../../../engine/engine.ts';
import type { AdoptedImage, AdoptImagesRequest } from '../../../gen/admin.ts';
import type { AdminCall } from '../rpc.ts';

const usualRoots = { docker: '/var/lib/docker', containerd: '/var/lib/containerd' } as const;

export async function* adoptImages({ from, root, namespace, dryRun }: AdoptImagesRequest, { engine, ctx }: AdminCall): AsyncGenerator<AdoptedImage> {
  const known = adoptableRuntimes.find((one) => one === from);
  if (known === undefined) throw failure('invalid-argument', { act: 'adopt images', object: 'from', why: `${JSON.stringify(from)} is none of ${adoptableRuntimes.join(', ')}` });
  if (root !== '' && !root.startsWith('/')) throw failure('invalid-argument', { act: 'adopt images', object: 'root', why: `${JSON.stringify(root)} is not an absolute path` });
  yield* engine.images.adopt({ from: known, root: root || usualRoots[known], namespace: namespace || 'k8s.io', dryRun }, ctx);
}
