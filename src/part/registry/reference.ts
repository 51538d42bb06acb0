/**
 * Image references as the kubelet and people write them, made complete as Docker does: `busybox` is
 * `docker.io/library/busybox:latest` (grammar: distribution/reference).
 */
import { isDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { failure } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';

export interface ImageReference {
  /** Registry host, with its port when one was given: `docker.io`, `localhost:5000`. */
  readonly host: string;
  /** Path of the repository at that host: `library/busybox`. */
  readonly repository: string;
  /** Undefined when a digest says which image is meant, or no single one is. */
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const hostForm = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const repositoryForm = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const longestName = 255;

/**
 * Parses and completes a reference. Given both a tag and a digest, the digest decides and the tag is kept for the record.
 * Anything malformed is invalid-argument, with the rule that was broken.
 */
export function parseReference(text: string): ImageReference {
  const named = parseName(text);
  return named.tag === undefined && named.digest === undefined ? { ...named, tag: 'latest' } : named;
}

/** Like parseReference, but a name with neither tag nor digest stays without: it means the repository. */
export function parseName(text: string): ImageReference {
  const [named, digestText] = splitOnce(text, '@');
  if (digestText !== undefined && !isDigest(digestText)) throw badReference(text, 'after @ it wants sha256: and 64 lower-case hex digits');
  const digest = digestText as Digest | undefined;

  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !tagForm.test(tag)) throw badReference(text, 'a tag is at most 128 letters, digits, _, . and -');

  const { host, repository } = splitHost(hasTag ? named.slice(0, colon) : named);
  if (!hostForm.test(host)) throw badReference(text, `${JSON.stringify(host)} is not a host name`);
  if (!repositoryForm.test(repository)) throw badReference(text, 'a repository is lower-case letters, digits, and single separators . _ - between them, in elements divided by /');
  if (host.length + 1 + repository.length > longestName) throw badReference(text, `the name is longer than ${longestName} characters`);
  return { host, repository, tag, digest };
}

/** The complete name without tag and digest: `docker.io/library/busybox`. */
export function nameOf(reference: ImageReference): string {
  return `${reference.host}/${reference.repository}`;
}

/** `docker.io/library/busybox:1.36`, or undefined for a reference by digest only. */
export function repoTagOf(reference: ImageReference): string | undefined {
  return reference.tag === undefined ? undefined : `${nameOf(reference)}:${reference.tag}`;
}

/** `docker.io/library/busybox@sha256:…` */
export function repoDigestOf(reference: ImageReference, digest: Digest): string {
  return `${nameOf(reference)}@${digest}`;
}

/** The complete reference: with its digest when it has one, else with its tag. */
export function formatReference(reference: ImageReference): string {
  return reference.digest === undefined ? `${nameOf(reference)}:${reference.tag ?? 'latest'}` : repoDigestOf(reference, reference.digest);
}

/** True for hosts of this machine, which Docker and containerd contact without certificates. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:[0-9]+$/, '');
  return name === 'localhost' || name === '[::1]' || /^127(?:\.[0-9]{1,3}){3}$/.test(name);
}

// The first element is a host when it looks like one; else the image is Docker Hub's, and a bare name one of its own.
function splitHost(name: string): { host: string; repository: string } {
  const [first, rest] = splitOnce(name, '/');
  if (rest === undefined) return { host: 'docker.io', repository: `library/${first}` };
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost' || first !== first.toLowerCase();
  if (!isHost) return { host: 'docker.io', repository: name };
  if (first !== 'docker.io' && first !== 'index.docker.io') return { host: first, repository: rest };
  return { host: 'docker.io', repository: rest.includes('/') ? rest : `library/${rest}` };
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function badReference(text: string, why: string): GantryError {
  return failure('invalid-argument', { act: 'parse image reference', object: JSON.stringify(text.slice(0, 300)), why });
}
