import { existsSync, globSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { failure, hasCode } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { ContainerConfig, PodSandboxConfig } from '../../gen/cri.ts';
import { blockIoOf, parseBlockIoClass } from '../../part/spec/blockio-class.ts';
import type { BlockDevice } from '../../part/spec/blockio-class.ts';
import type { OciBlockIo } from '../../part/spec/oci-spec.ts';
import { deviceNumbers } from '../../host/device-node.ts';
import { resourceClassOf } from '../../part/spec/resource-class.ts';
import { fencedFiles } from '../../host/fenced-files.ts';

export interface ResourceClasses {
  readonly blockIo: OciBlockIo | undefined;
  readonly rdtClass: string | undefined;
}

interface Annotated {
  readonly config: ContainerConfig;
  readonly podConfig: PodSandboxConfig;
}

/**
 * What the block I/O and RDT classes that annotations name mean on this node now. A class that is not there, or that this node cannot
 * keep, is failed-precondition.
 */
export async function resourceClasses(deps: { readonly blockIoFile: string; readonly log: Logger }, annotated: Annotated): Promise<ResourceClasses> {
  const [blockIo, rdt] = [resourceClassOf('blockio', annotated), resourceClassOf('rdt', annotated)];
  return {
    blockIo: blockIo === undefined ? undefined : await readBlockIo(deps, blockIo),
    rdtClass: rdt === undefined ? undefined : checkRdtClass(rdt),
  };
}

async function readBlockIo({ blockIoFile, log }: { blockIoFile: string; log: Logger }, name: string): Promise<OciBlockIo> {
  const act = 'use block I/O class';
  const { parse } = await import('yaml'); // most nodes have no classes and need not load it
  let document: unknown;
  try {
    document = parse((await fencedFiles.read(blockIoFile, maxClassBytes)).toString('utf8'));
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) throw failure('failed-precondition', { act, object: name, why: `this node has no classes: there is no file ${blockIoFile} (cgroup.blockio_config_file)`, cause });
    throw failure('failed-precondition', { act, object: name, cause });
  }
  return blockIoOf(parseBlockIoClass(document, name), (globs) => {
    const devices = wholeDisks(globs);
    if (devices.length === 0) log.warn('a rule of a block I/O class matches no disk of this node', { class: name, devices: globs });
    return devices;
  });
}

/** More than a file of classes has. */
const maxClassBytes = 1 << 20;

/** The disks behind the device files and links that match. */
function wholeDisks(globs: readonly string[]): BlockDevice[] {
  const files = new Set(globSync([...globs]).map((file) => realpathSync(file)));
  return [...files].flatMap((file) => {
    const stat = statSync(file);
    const { major, minor } = deviceNumbers(BigInt(stat.rdev));
    return stat.isBlockDevice() && !existsSync(`/sys/dev/block/${major}:${minor}/partition`) ? [{ major, minor }] : [];
  });
}

/** The groups of resctrl are the administrator's: a container joins one, and none is made for it. */
export function checkRdtClass(name: string, root = '/sys/fs/resctrl'): string {
  const act = 'use RDT class';
  if (!existsSync(join(root, 'schemata'))) throw failure('failed-precondition', { act, object: name, why: `resctrl is not mounted on ${root}: the processor or the kernel has no such feature, or nobody mounted it` });
  if (!existsSync(join(root, name, 'schemata'))) throw failure('failed-precondition', { act, object: name, why: `there is no group ${root}/${name}; make it first` });
  return name;
}

/** An OCI runtime that does not know RDT passes the wish over in silence: then the container is refused. */
export function checkInRdtClass(name: string, pid: number, root = '/sys/fs/resctrl'): void {
  if (readFileSync(join(root, name, 'tasks'), 'latin1').split('\n').includes(String(pid))) return;
  throw failure('failed-precondition', { act: 'use RDT class', object: name, why: 'the OCI runtime of this handler did not put the container in it; use one that can (runc)' });
}
