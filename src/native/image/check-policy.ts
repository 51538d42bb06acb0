/** Whether the node's signature policy lets an image in: asked at every pull, also for what is here already, before anything of the image is read, and before anything of an archive is stored. */
import { hexOf } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { during, failure, isKind, messageOf } from '../../base/errors.ts';
import { downloadDocument } from '../../part/registry/download-blob.ts';
import { readLookaside } from '../../part/registry/lookaside.ts';
import { ruleFor } from '../../part/registry/pull-plan.ts';
import type { RegistryView } from '../../part/registry/pull-plan.ts';
import { nameOf, parseName } from '../../part/registry/reference.ts';
import type { ImageReference } from '../../part/registry/reference.ts';
import type { RegistrySources } from '../../part/registry/registry-sources.ts';
import { checkRequirements, checkWithoutSignatures } from '../../part/trust/check-requirements.ts';
import type { ImageName } from '../../part/trust/image-name.ts';
import { chooseArchiveScopes, chooseScope, readPolicy } from '../../part/trust/policy.ts';
import type { PolicyFile } from '../../part/trust/policy.ts';
import { largestSignature, mostSignatures } from '../../part/trust/signature-limits.ts';
import { findSignatureStores } from '../../part/trust/signature-stores.ts';
import type { SignatureStores } from '../../part/trust/signature-stores.ts';
import { attachmentTag, parseAttachments } from '../../part/trust/sigstore-signature.ts';
import type { SigstoreSignature } from '../../part/trust/sigstore-signature.ts';
import type { ArchivedImage } from './read-archive.ts';
import type { ResolvedManifest } from './resolve-manifest.ts';

/** What administrators say about whose images they trust, read at every pull. */
export interface TrustFiles {
  readonly policy: PolicyFile;
  /** The `registries.d` folder. */
  readonly signatureStores: string;
}

export interface PolicyCheck {
  readonly files: TrustFiles | undefined;
  readonly reference: ImageReference;
  readonly resolved: ResolvedManifest;
  readonly sources: RegistrySources;
  readonly view: RegistryView;
  readonly signal: AbortSignal;
}

/**
 * Resolves when the policy accepts the manifest that will be used; of an index that is the chosen one, as Podman and CRI-O have it, and a
 * signature of the index alone does not count. Errors: those of readPolicy and checkRequirements, and of asking for signatures.
 */
export async function checkPolicy({ files, reference, resolved, sources, view, signal }: PolicyCheck): Promise<void> {
  const policy = files === undefined ? undefined : await readPolicy(files.policy, readName);
  if (files === undefined || policy === undefined) return;
  const name = trustedName(reference);
  const { digest } = resolved.documents.at(-1)!;
  let stores: Promise<SignatureStores> | undefined;
  const findStores = (): Promise<SignatureStores> => (stores ??= findSignatureStores(files.signatureStores, name));
  const ofIndex = resolved.digest === digest ? '' : `, which was chosen from the index ${resolved.digest} and needs a signature of its own,`;
  await checkRequirements(policy, chooseScope(policy, name), {
    name,
    digest,
    readName,
    signatures: {
      simple: async () => await simpleSignatures(await findStores(), digest, { view, sources, signal }),
      sigstore: async () => ((await findStores()).attachments ? await sigstoreSignatures(sources, digest, signal) : []),
      place: async (type) => {
        const { lookaside, attachments } = await findStores();
        if (type === 'signedBy') return `${ofIndex} in ${lookaside.href}@sha256=${hexOf(digest)}`;
        return `${ofIndex} in ${nameOf(reference)}:${attachmentTag(digest)}${attachments ? '' : ` (not looked for: use-sigstore-attachments is not on for it in ${files.signatureStores})`}`;
      },
    },
  });
}

/** Resolves when the policy accepts all images of an archive. Errors: those of readPolicy and checkWithoutSignatures. */
export async function checkArchivePolicy(files: TrustFiles | undefined, images: readonly ArchivedImage[]): Promise<void> {
  const policy = files === undefined ? undefined : await readPolicy(files.policy, readName);
  if (policy === undefined) return;
  for (const { transports, repoTags, config } of images) {
    for (const scope of chooseArchiveScopes(policy, transports)) checkWithoutSignatures(policy, scope, repoTags[0] ?? config.digest);
  }
}

/** Resolves when the policy accepts what another runtime of this node keeps: `docker-daemon` is its word for that. Errors: as checkArchivePolicy. */
export async function checkForeignPolicy(files: TrustFiles | undefined, name: string): Promise<void> {
  const policy = files === undefined ? undefined : await readPolicy(files.policy, readName);
  if (policy === undefined) return;
  for (const scope of chooseArchiveScopes(policy, ['docker-daemon'])) checkWithoutSignatures(policy, scope, name);
}

/** The name that scopes and signatures are about: a digest says more than the tag beside it. */
export function trustedName(reference: ImageReference): ImageName {
  return { name: nameOf(reference), tag: reference.digest === undefined ? reference.tag : undefined, digest: reference.digest };
}

export function readName(text: string): ImageName | undefined {
  try {
    const named = parseName(text);
    return { name: nameOf(named), tag: named.tag, digest: named.digest };
  } catch {
    return undefined;
  }
}

async function simpleSignatures({ lookaside }: SignatureStores, digest: Digest, { view, sources, signal }: Pick<PolicyCheck, 'view' | 'sources' | 'signal'>): Promise<Buffer[]> {
  return await readLookaside({
    folder: new URL(`${lookaside.href}@sha256=${hexOf(digest)}`),
    ruleOf: (host) => ruleFor(view, host),
    patience: sources.patience,
    limits: { signatures: mostSignatures, bytes: largestSignature },
    signal,
  });
}

async function sigstoreSignatures(sources: RegistrySources, digest: Digest, signal: AbortSignal): Promise<SigstoreSignature[]> {
  const tag = attachmentTag(digest);
  try {
    const { bytes } = await sources.getManifest(tag, signal);
    const signatures: SigstoreSignature[] = [];
    for (const { signature, ...blob } of attachmentsIn(bytes, tag)) {
      signatures.push({ payload: await downloadDocument(sources, blob, largestSignature, signal), signature }); // whether it is what was signed, the signature tells
    }
    return signatures;
  } catch (error) {
    if (isKind(error, 'not-found')) return [];
    throw during(error, { act: 'read signatures', object: tag });
  }
}

function attachmentsIn(manifest: Buffer, tag: string): ReturnType<typeof parseAttachments> {
  try {
    return parseAttachments(manifest);
  } catch (cause) {
    throw failure('failed-precondition', { act: 'read manifest', object: tag, why: messageOf(cause), criReason: 'SignatureValidationFailed' });
  }
}
