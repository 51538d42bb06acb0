/**
 * Whether a signature that was made for one name is good for another (containers-policy.json(5), "signedIdentity"): a mirror has
 * its own names, and a signature of an old image must not vouch for a new tag.
 */
import type { ForeignValue } from '../../base/foreign-value.ts';
import { fullName, isRepositoryOnly } from './image-name.ts';
import type { ImageName, ReadName } from './image-name.ts';

export interface SignedIdentity {
  /** As in the policy, with its parameters: for people. */
  readonly rule: string;
  /** Whether an image that was asked for as `image` may have been signed as `signed`. */
  readonly accepts: (image: ImageName, signed: ImageName) => boolean;
}

/** What counts where a policy says nothing: the exact name; of an image asked for by digest the repository, as the digest says the rest. */
export const acceptDigestOrTag: SignedIdentity = { rule: 'matchRepoDigestOrExact', accepts: isSameOrByDigest };

export function readSignedIdentity(value: ForeignValue, readName: ReadName): SignedIdentity {
  const type = value.members().get('type');
  switch (type.text()) {
    case 'matchExact':
      value.members(['type']);
      return { rule: 'matchExact', accepts: (image, signed) => isSame(image, signed) };
    case 'matchRepoDigestOrExact':
      value.members(['type']);
      return acceptDigestOrTag;
    case 'matchRepository':
      value.members(['type']);
      return { rule: 'matchRepository', accepts: (image, signed) => image.name === signed.name };
    case 'exactReference':
      return readExactReference(value.members(['type', 'dockerReference']).get('dockerReference'), readName);
    case 'exactRepository':
      return readExactRepository(value.members(['type', 'dockerRepository']).get('dockerRepository'), readName);
    case 'remapIdentity':
      return readRemap(value, readName);
    default:
      throw type.wants('matchExact, matchRepoDigestOrExact, matchRepository, exactReference, exactRepository or remapIdentity');
  }
}

function isSame(wanted: ImageName, signed: ImageName): boolean {
  return !isRepositoryOnly(wanted) && fullName(wanted) === fullName(signed);
}

function isSameOrByDigest(image: ImageName, signed: ImageName): boolean {
  if (isRepositoryOnly(signed)) return false;
  return image.tag === undefined && image.digest !== undefined ? image.name === signed.name : isSame(image, signed);
}

function readExactReference(value: ForeignValue, readName: ReadName): SignedIdentity {
  const wanted = readName(value.text());
  if (wanted === undefined || isRepositoryOnly(wanted)) throw value.wants('a name with a tag or digest');
  return { rule: `exactReference ${fullName(wanted)}`, accepts: (_image, signed) => isSame(wanted, signed) };
}

function readExactRepository(value: ForeignValue, readName: ReadName): SignedIdentity {
  const wanted = readName(value.text());
  if (wanted === undefined) throw value.wants('the name of a repository');
  return { rule: `exactRepository ${wanted.name}`, accepts: (_image, signed) => wanted.name === signed.name };
}

function readRemap(value: ForeignValue, readName: ReadName): SignedIdentity {
  const fields = value.members(['type', 'prefix', 'signedPrefix']);
  const [prefix, signedPrefix] = ['prefix', 'signedPrefix'].map((name) => readPrefix(fields.get(name), readName)) as [string, string];
  const remap = (image: ImageName): ImageName => (isBelow(image.name, prefix) ? { ...image, name: signedPrefix + image.name.slice(prefix.length) } : image);
  return { rule: `remapIdentity ${prefix} to ${signedPrefix}`, accepts: (image, signed) => isSameOrByDigest(remap(image), signed) };
}

/** A host, or a host and the beginning of a path; nothing that would have to be completed. */
function readPrefix(value: ForeignValue, readName: ReadName): string {
  const text = value.text();
  if (readName(`${text}/x`)?.name !== `${text}/x`) throw value.wants('a host, with or without a path, such as registry.example/team');
  return text;
}

function isBelow(name: string, prefix: string): boolean {
  return name === prefix || name.startsWith(`${prefix}/`);
}
