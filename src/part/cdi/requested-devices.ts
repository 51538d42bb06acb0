import { failure } from '../../base/errors.ts';
import type { ContainerConfig } from '../../gen/cri.ts';
import { parseDeviceName } from './device-name.ts';

export interface RequestedDevice {
  /** Fully qualified. */
  readonly name: string;
  /** The CRI field that asks for it. */
  readonly field: string;
}

const annotationPrefix = 'cdi.k8s.io/';

/**
 * The CDI devices that a container asks for: those of config.CDI_devices, then those of its own annotations `cdi.k8s.io/…` (names separated by
 * commas, which is how device plugins asked before the field was there), each once. The pod's annotations, which users write, do not count.
 *
 * Errors: invalid-argument naming the field of a name that is not `vendor/class=device`.
 */
export function requestedDevices({ CDIDevices, annotations }: Pick<ContainerConfig, 'CDIDevices' | 'annotations'>): RequestedDevice[] {
  const inField = CDIDevices.map(({ name }, index) => ({ name, field: `config.CDI_devices[${index}].name` }));
  const inAnnotations = Object.keys(annotations).filter((key) => key.startsWith(annotationPrefix)).sort()
    .flatMap((key) => annotations[key]!.split(',').map((name) => ({ name, field: `config.annotations[${key}]` })));
  const requests = new Map<string, RequestedDevice>();
  for (const request of [...inField, ...inAnnotations]) {
    refuseUnqualified(request);
    if (!requests.has(request.name)) requests.set(request.name, request);
  }
  return [...requests.values()];
}

function refuseUnqualified({ name, field }: RequestedDevice): void {
  if (parseDeviceName(name) !== undefined) return;
  const shown = JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
  throw failure('invalid-argument', { act: 'check', object: field, why: `${shown} is no name of a CDI device such as vendor.com/class=device` });
}
