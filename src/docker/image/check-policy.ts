/** The node's signature policy, where the Docker Engine takes the images: it verifies none, so whatever the policy wants verified is refused before the Engine hears of it. */
import { nameOf, parseName } from '../../part/registry/reference.ts';
import type { ImageReference } from '../../part/registry/reference.ts';
import { checkWithoutSignatures, checkWithoutVerifying } from '../../part/trust/check-requirements.ts';
import type { ImageName } from '../../part/trust/image-name.ts';
import { chooseArchiveScopes, chooseScope, readPolicy } from '../../part/trust/policy.ts';
import type { PolicyFile } from '../../part/trust/policy.ts';

/** Resolves when the policy, read now, accepts the image without a look at its signatures. Else failed-precondition, naming policy, scope and requirement; so is a policy that cannot be read. */
export async function checkPullPolicy(file: PolicyFile, reference: ImageReference): Promise<void> {
  const policy = await readPolicy(file, readName);
  if (policy === undefined) return;
  const image: ImageName = { name: nameOf(reference), tag: reference.digest === undefined ? reference.tag : undefined, digest: reference.digest };
  checkWithoutVerifying(policy, chooseScope(policy, image), { image: nameOf(reference), puller: 'the Docker Engine' });
}

/** The same for an archive, of either format, as the Engine alone sees what is in it. Errors: as of checkPullPolicy. */
export async function checkLoadPolicy(file: PolicyFile): Promise<void> {
  const policy = await readPolicy(file, readName);
  if (policy === undefined) return;
  for (const scope of chooseArchiveScopes(policy, ['docker-archive', 'oci-archive'])) checkWithoutSignatures(policy, scope, 'this one');
}

/** Identities in the policy are names as the kubelet writes them. */
function readName(text: string): ImageName | undefined {
  try {
    const named = parseName(text);
    return { name: nameOf(named), tag: named.tag, digest: named.digest };
  } catch {
    return undefined;
  }
}
