/**
 * A containers `policy.json` (containers-policy.json(5)): what an image must fulfil to be taken, by its scope. Reading is strict: an unknown
 * key or a requirement that says nothing clear makes the whole file unusable, as a rule that is misread is no rule.
 */
import { failure, hasCode, messageOf } from '../../base/errors.ts';
import { ForeignValue } from '../../base/foreign-value.ts';
import { fencedFiles } from '../../host/fenced-files.ts';
import type { ImageName, ReadName } from './image-name.ts';
import { scopesOf } from './image-scopes.ts';
import { readTrustFile } from './read-trust-file.ts';
import { acceptDigestOrTag, readSignedIdentity } from './signed-identity.ts';
import type { SignedIdentity } from './signed-identity.ts';
import { parseStrictJson } from './strict-json.ts';

/** Where public keys are: in files, or in the policy itself. */
export interface KeySource {
  readonly paths: readonly string[];
  readonly datas: readonly Buffer[];
}

/** All requirements of a scope must hold. */
export type Requirement =
  | { readonly type: 'insecureAcceptAnything' }
  | { readonly type: 'reject' }
  /** One signature by one of the keys, for an accepted identity. */
  | { readonly type: 'signedBy' | 'sigstoreSigned'; readonly keys: KeySource; readonly identity: SignedIdentity }
  /** Well formed, but not something that is verified here: refuses every image. */
  | { readonly type: 'unsupported'; readonly requirement: string; readonly what: string };

export interface Policy {
  readonly file: string;
  /** For what no scope is about. */
  readonly fallback: readonly Requirement[];
  /** By transport the scopes of it; the empty one is for all others of the transport. */
  readonly transports: ReadonlyMap<string, ReadonlyMap<string, readonly Requirement[]>>;
}

/** The requirements that count for an image, and where in the policy they stand. */
export interface ChosenScope {
  /** For people: `scope docker.io/library of the docker transport`. */
  readonly scope: string;
  readonly requirements: readonly Requirement[];
}

/** Where the policy is, and whether none may be there. */
export interface PolicyFile {
  readonly path: string;
  /** True for the usual place: who never wrote a policy trusts everyone. A file that was asked for by name must be there. */
  readonly optional: boolean;
}

/**
 * Reads the policy; undefined when there is none and there need not be one. A file that can't be read or understood is
 * failed-precondition, naming it and the place in it: such a policy must not mean that everything is allowed.
 */
export async function readPolicy(file: PolicyFile, readName: ReadName): Promise<Policy | undefined> {
  try {
    return parsePolicy((await readTrustFile(file.path)).toString('utf8'), file.path, readName);
  } catch (cause) {
    if (file.optional && (await isAbsent(file.path))) return undefined;
    throw failure('failed-precondition', { act: 'read signature policy', object: file.path, why: `${messageOf(cause)}; no image is taken until it is mended`, cause });
  }
}

/** A link that leads nowhere is not absent: somebody meant a policy to be there. */
async function isAbsent(path: string): Promise<boolean> {
  return await fencedFiles.lookFor(path).then(() => false, (error: unknown) => hasCode(error, 'ENOENT'));
}

/** Throws an Error that names the place in the text. */
export function parsePolicy(text: string, file: string, readName: ReadName): Policy {
  const policy = new ForeignValue(parseStrictJson(text)).members(['default', 'transports']);
  const transports = policy.get('transports').members();
  const scopesOfTransport = (name: string): [string, readonly Requirement[]][] => {
    const scopes = transports.get(name).members();
    return scopes.names.map((scope) => [scope, readRequirements(scopes.get(scope), readName)]);
  };
  return { file, fallback: readRequirements(policy.get('default'), readName), transports: new Map(transports.names.map((name) => [name, new Map(scopesOfTransport(name))])) };
}

/** The narrowest scope of the `docker` transport, which registries are, that the policy says something about; none of several is merged with another. */
export function chooseScope(policy: Policy, image: ImageName): ChosenScope {
  const scopes = policy.transports.get('docker');
  for (const scope of [...scopesOf(image), '']) {
    const requirements = scopes?.get(scope);
    if (requirements !== undefined) return { scope: scope === '' ? defaultOf('docker') : `scope ${scope} of the docker transport`, requirements };
  }
  return everythingElse(policy);
}

/** What an archive may be taken for; `docker-daemon` is another runtime's store on this node. */
export type ArchiveTransport = 'docker-archive' | 'oci-archive' | 'oci' | 'docker-daemon';

/**
 * What an archive must fulfil that comes as a stream: the default of each transport that it may belong to and that the policy names, all of them, else the
 * policy's default. Scopes of these transports are paths, and a stream has none: they are for nobody here.
 */
export function chooseArchiveScopes(policy: Policy, transports: readonly ArchiveTransport[]): readonly ChosenScope[] {
  const named = transports.flatMap((transport) => {
    const requirements = policy.transports.get(transport)?.get('');
    return requirements === undefined ? [] : [{ scope: defaultOf(transport), requirements }];
  });
  return named.length > 0 ? named : [everythingElse(policy)];
}

function defaultOf(transport: string): string {
  return `the default of the ${transport} transport`;
}

function everythingElse(policy: Policy): ChosenScope {
  return { scope: 'the default', requirements: policy.fallback };
}

function readRequirements(value: ForeignValue, readName: ReadName): Requirement[] {
  const items = value.items();
  if (items.length === 0) throw value.wants('a list with at least one requirement');
  return items.map((item) => readRequirement(item, readName));
}

function readRequirement(value: ForeignValue, readName: ReadName): Requirement {
  const type = value.members().get('type');
  switch (type.text()) {
    case 'insecureAcceptAnything':
      value.members(['type']);
      return { type: 'insecureAcceptAnything' };
    case 'reject':
      value.members(['type']);
      return { type: 'reject' };
    case 'signedBy':
      return readSignedBy(value, readName);
    case 'sigstoreSigned':
      return readSigstoreSigned(value, readName);
    case 'signedBaseLayer':
      value.members(['type', 'baseLayerIdentity']);
      return { type: 'unsupported', requirement: 'signedBaseLayer', what: 'base layers are not verified' };
    default:
      throw type.wants('insecureAcceptAnything, reject, signedBy or sigstoreSigned');
  }
}

const otherKeyTypes = ['signedByGPGKeys', 'X509Certificates', 'signedByX509CAs'];

function readSignedBy(value: ForeignValue, readName: ReadName): Requirement {
  const fields = value.members(['type', 'keyType', 'keyPath', 'keyPaths', 'keyData', 'signedIdentity']);
  const keyType = fields.get('keyType');
  const requirement: Requirement = { type: 'signedBy', keys: readKeys(value, ['keyPath', 'keyPaths', 'keyData']), identity: readIdentity(fields.get('signedIdentity'), readName) };
  if (keyType.text() === 'GPGKeys') return requirement;
  if (!otherKeyTypes.includes(keyType.text())) throw keyType.wants('GPGKeys');
  return { type: 'unsupported', requirement: 'signedBy', what: `keys of the type ${keyType.text()} are not supported, only GPGKeys` };
}

const sigstoreKeys = ['keyPath', 'keyPaths', 'keyData', 'keyDatas'];
const rekorKeys = ['rekorPublicKeyPath', 'rekorPublicKeyPaths', 'rekorPublicKeyData', 'rekorPublicKeyDatas'];

function readSigstoreSigned(value: ForeignValue, readName: ReadName): Requirement {
  const fields = value.members(['type', ...sigstoreKeys, 'fulcio', 'pki', ...rekorKeys, 'signedIdentity']);
  const identity = readIdentity(fields.get('signedIdentity'), readName);
  const given = (names: readonly string[]): string[] => names.filter((name) => !fields.get(name).absent);
  if (given([...sigstoreKeys, 'fulcio', 'pki']).length !== 1) throw value.wants(`exactly one of ${[...sigstoreKeys, 'fulcio', 'pki'].join(', ')}`);
  if (given(rekorKeys).length > 1) throw value.wants(`at most one of ${rekorKeys.join(', ')}`);
  const [certificates] = given(['fulcio', 'pki']);
  if (certificates !== undefined) return { type: 'unsupported', requirement: 'sigstoreSigned', what: `certificates in place of keys (${certificates}) are not supported, only keyPath, keyPaths, keyData and keyDatas` };
  const keys = readKeys(value, sigstoreKeys);
  const [rekor] = given(rekorKeys);
  if (rekor !== undefined) return { type: 'unsupported', requirement: 'sigstoreSigned', what: `proof of an entry in a transparency log (${rekor}) is not supported` };
  return { type: 'sigstoreSigned', keys, identity };
}

function readKeys(value: ForeignValue, names: readonly string[]): KeySource {
  const fields = value.members();
  const given = names.filter((name) => !fields.get(name).absent);
  if (given.length !== 1) throw value.wants(`exactly one of ${names.join(', ')}`);
  const source = fields.get(given[0]!);
  const items = given[0]!.endsWith('s') ? source.items() : [source];
  if (items.length === 0) throw source.wants('at least one key');
  if (given[0]!.startsWith('keyPath')) return { paths: items.map((item) => item.text()), datas: [] };
  return { paths: [], datas: items.map(readBase64) };
}

function readBase64(value: ForeignValue): Buffer {
  const bytes = Buffer.from(value.text(), 'base64');
  if (bytes.length === 0 || bytes.toString('base64') !== value.text()) throw value.wants('a key in base64');
  return bytes;
}

function readIdentity(value: ForeignValue, readName: ReadName): SignedIdentity {
  return value.absent ? acceptDigestOrTag : readSignedIdentity(value, readName);
}
