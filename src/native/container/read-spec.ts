import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../base/errors.ts';
import type { OciSpec } from '../../part/spec/oci-spec.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';

/** The config.json that a container was created with; undefined after a reboot, which takes it away. A few KiB of ours, read on the spot: each exec waits for it. */
export function readSpec(deps: Pick<ContainerDeps, 'roots'>, { id }: { readonly id: string }): OciSpec | undefined {
  try {
    return JSON.parse(readFileSync(join(containerPaths(deps.roots, id).bundle, 'config.json'), 'utf8')) as OciSpec;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
