/** An image's complete name, as far as trust is about names. */
export interface ImageName {
  /** Host and repository: `docker.io/library/busybox`. */
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** Reads a name as people write it and completes its host; undefined for what is none. No tag is made up. */
export type ReadName = (text: string) => ImageName | undefined;

/** The name in full, the way that names are compared: as text. */
export function fullName({ name, tag, digest }: ImageName): string {
  return `${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** True for a repository without a tag or digest, which says nothing about a single image. */
export function isRepositoryOnly({ tag, digest }: ImageName): boolean {
  return tag === undefined && digest === undefined;
}
