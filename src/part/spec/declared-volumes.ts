import { failure, isKind } from '../../base/errors.ts';
import type { Mount } from '../../gen/cri.ts';
import { checkAbsolutePath, quote } from './check-field.ts';
import type { ImageConfig } from './image-config.ts';

/** What every container has anyway: an image that declares a volume there gets these, and cannot put its own files in their place (CVE-2019-16884). */
const kernelFolders = ['/proc', '/sys', '/dev'];
const podFiles = new Set(['/etc/hostname', '/etc/resolv.conf']);

const mostVolumes = 100;

/**
 * The paths for which an image wants volumes (`VOLUME` in a Dockerfile; image-spec, config.md "Volumes"), absolute, each once, without
 * those that the CRI mounts itself. One that cannot be a volume, or more than a hundred: failed-precondition.
 */
export function declaredVolumes(image: ImageConfig, mounts: readonly Mount[]): string[] {
  const declared = Object.keys(image.Volumes ?? {});
  if (declared.length > mostVolumes) throw unfit(`${declared.length} volumes`, `more than ${mostVolumes} are too many`);
  const mounted = new Set(mounts.map(({ containerPath }) => withoutDots(containerPath)));
  const paths = new Set(declared.map(volumePath));
  return [...paths].filter((path) => !mounted.has(path) && !podFiles.has(path) && !kernelFolders.some((folder) => `${path}/`.startsWith(`${folder}/`)));
}

/** Docker wants absolute paths but images come from elsewhere too: `data` is taken for `/data`, as by containerd. */
function volumePath(declared: string): string {
  try {
    const path = checkAbsolutePath('VOLUME', `/${declared}`);
    if (path !== '/') return path;
  } catch (error) {
    if (isKind(error, 'invalid-argument')) throw unfit(quote(declared), 'it is not a path in the container');
    throw error;
  }
  throw unfit(quote(declared), 'the root itself cannot be a volume');
}

function unfit(object: string, why: string): Error {
  return failure('failed-precondition', { act: "make the image's VOLUME", object, why });
}

function withoutDots(path: string): string {
  return `/${path.split('/').filter((name) => name !== '' && name !== '.').join('/')}`;
}
