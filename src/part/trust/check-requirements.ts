/** Holds an image against the requirements of its scope. */
import type { Digest } from '../../base/digest.ts';
import { failure, messageOf } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';
import { fullName } from './image-name.ts';
import type { ImageName, ReadName } from './image-name.ts';
import { verifyOpenPgp } from './openpgp-signature.ts';
import type { ChosenScope, KeySource, Policy, Requirement } from './policy.ts';
import { readTrustFile } from './read-trust-file.ts';
import type { SignedIdentity } from './signed-identity.ts';
import { claimTypes, parseClaim } from './signed-claim.ts';
import { isSignedByOne, readPublicKey } from './sigstore-signature.ts';
import type { SigstoreSignature } from './sigstore-signature.ts';

/** The signatures of the image's manifest, looked for only when a requirement wants some; none of them is trusted yet. */
export interface FoundSignatures {
  /** Signed OpenPGP messages of the lookaside store. */
  readonly simple: () => Promise<readonly Uint8Array[]>;
  readonly sigstore: () => Promise<readonly SigstoreSignature[]>;
  /** Where they were looked for: for messages. */
  readonly place: (type: 'signedBy' | 'sigstoreSigned') => Promise<string>;
}

export interface ImageOnTrial {
  /** What was asked for. */
  readonly name: ImageName;
  /** Of the manifest that will be used: a signature of any other is none of this image. */
  readonly digest: Digest;
  readonly signatures: FoundSignatures;
  readonly readName: ReadName;
}

type SignatureRequirement = Extract<Requirement, { keys: KeySource }>;

/**
 * Resolves when every requirement holds. Else failed-precondition with the kubelet's SignatureValidationFailed, naming the policy, the scope, the
 * requirement and the reason. Errors of looking for signatures pass through.
 */
export async function checkRequirements(policy: Policy, chosen: ChosenScope, image: ImageOnTrial): Promise<void> {
  for (const [index, requirement] of chosen.requirements.entries()) await checkRequirement(requirement, image, refusing(policy, chosen, index));
}

/** The same for what carries no signatures, an image of an archive: `image` says which, for the message. */
export function checkWithoutSignatures(policy: Policy, chosen: ChosenScope, image: string): void {
  checkUnseen(policy, chosen, {
    rejected: `archived images such as ${image} are not to be loaded`,
    unsigned: `an archive brings no signatures with it, so ${image} has none: pull it from a registry instead`,
  });
}

/** The same where somebody else pulls the image, who verifies nothing: what needs no look at a signature is decided, all else is refused. */
export function checkWithoutVerifying(policy: Policy, chosen: ChosenScope, { image, puller }: { readonly image: string; readonly puller: string }): void {
  checkUnseen(policy, chosen, {
    rejected: `images such as ${image} are not to be used`,
    unsigned: `${puller} pulls ${image} and verifies no signatures: pull it with engine = "native", or let this scope be insecureAcceptAnything`,
  });
}

/** What can be said of an image none of whose signatures is seen. */
function checkUnseen(policy: Policy, chosen: ChosenScope, why: { readonly rejected: string; readonly unsigned: string }): void {
  for (const [index, requirement] of chosen.requirements.entries()) {
    const refuse = refusing(policy, chosen, index);
    switch (requirement.type) {
      case 'insecureAcceptAnything':
        break;
      case 'reject':
        throw refuse('reject', why.rejected);
      case 'unsupported':
        throw refuse(requirement.requirement, requirement.what);
      default:
        throw refuse(requirement.type, why.unsigned);
    }
  }
}

function refusing(policy: Policy, { scope }: ChosenScope, index: number): Refuse {
  return (name, why) => failure('failed-precondition', {
    act: 'check signature policy', object: policy.file, why: `${scope}, requirement ${index + 1} (${name}): ${why}`, criReason: 'SignatureValidationFailed',
  });
}

type Refuse = (requirement: string, why: string) => GantryError;

async function checkRequirement(requirement: Requirement, image: ImageOnTrial, refuse: Refuse): Promise<void> {
  switch (requirement.type) {
    case 'insecureAcceptAnything':
      return;
    case 'reject':
      throw refuse('reject', `images such as ${fullName(image.name)} are not to be pulled`);
    case 'unsupported':
      throw refuse(requirement.requirement, requirement.what);
    case 'signedBy':
    case 'sigstoreSigned': {
      const reasons = await reasonsAgainst(requirement, image, refuse);
      if (reasons === undefined) return;
      const where = `of the manifest ${image.digest}${await image.signatures.place(requirement.type)}`;
      if (reasons.length === 0) throw refuse(requirement.type, `there is no signature ${where}`);
      const told = [...new Set(reasons)].slice(0, 5);
      throw refuse(requirement.type, `none of ${reasons.length} signatures ${where} is accepted: ${told.join('; ')}`);
    }
  }
}

/** Undefined when one signature is accepted; else why each of them is not. */
async function reasonsAgainst(requirement: SignatureRequirement, image: ImageOnTrial, refuse: Refuse): Promise<string[] | undefined> {
  const keys = await readKeys(requirement.keys, (why) => refuse(requirement.type, why));
  const reasons: string[] = [];
  for (const verdict of requirement.type === 'signedBy' ? await judgeSimple(image, keys) : await judgeSigstore(image, keys, refuse)) {
    const reason = 'why' in verdict ? verdict.why : reasonAgainstClaim(verdict.content, { type: claimTypes[requirement.type], identity: requirement.identity, image });
    if (reason === undefined) return undefined;
    reasons.push(reason);
  }
  return reasons;
}

/** What somebody whom we trust has signed, or why it is not known who did. */
type Verdict = { readonly content: Uint8Array } | { readonly why: string };

interface NamedKey {
  readonly name: string;
  readonly bytes: Uint8Array;
}

async function readKeys({ paths, datas }: KeySource, refuse: (why: string) => GantryError): Promise<NamedKey[]> {
  const fromFile = async (path: string): Promise<NamedKey> => {
    try {
      return { name: path, bytes: await readTrustFile(path) };
    } catch (error) {
      throw refuse(`the key ${path} can't be read: ${messageOf(error)}`);
    }
  };
  return [...(await Promise.all(paths.map(fromFile))), ...datas.map((bytes, index) => ({ name: `key ${index + 1} of the policy`, bytes }))];
}

async function judgeSimple({ signatures }: ImageOnTrial, keys: readonly NamedKey[]): Promise<readonly Verdict[]> {
  const found = await signatures.simple();
  return found.length === 0 ? [] : await verifyOpenPgp({ keys, signatures: found });
}

async function judgeSigstore({ signatures }: ImageOnTrial, keys: readonly NamedKey[], refuse: Refuse): Promise<readonly Verdict[]> {
  const publicKeys = keys.map(({ name, bytes }) => {
    try {
      return readPublicKey(bytes);
    } catch (error) {
      throw refuse('sigstoreSigned', `${name}: ${messageOf(error)}`);
    }
  });
  const found = await signatures.sigstore();
  return found.map((signature) => (isSignedByOne(signature, publicKeys) ? { content: signature.payload } : { why: 'it is not made with a key that is trusted' }));
}

function reasonAgainstClaim(content: Uint8Array, { type, identity, image }: { type: string; identity: SignedIdentity; image: ImageOnTrial }): string | undefined {
  try {
    const { digest, reference } = parseClaim(content, type);
    if (digest !== image.digest) return `it is for another manifest, ${digest}`;
    const signed = image.readName(reference);
    const told = JSON.stringify(reference.slice(0, 300));
    if (signed === undefined) return `it is for ${told}, which is no image name`;
    return identity.accepts(image.name, signed) ? undefined : `it is for ${told}, which ${identity.rule} does not accept for ${fullName(image.name)}`;
  } catch (error) {
    return `what is signed is no such claim: ${messageOf(error)}`;
  }
}
