import type { SpecStep } from './build-container-spec.ts';
import { allowedAnnotations } from './allowed-annotations.ts';
import { checkText } from './check-field.ts';
import type { SpecInput } from './spec-input.ts';

/**
 * What the handler lets through, and who the container is, in the keys that containerd coined and runsc and other sandboxing runtimes read: no
 * annotation can claim to be another container.
 */
export const withAnnotations: SpecStep = (spec, input) => ({
  ...spec,
  annotations: {
    ...allowedAnnotations({ handler: input.handler, workloads: input.defaults.workloads }, input.podConfig.annotations, input.config.annotations),
    ...sandboxAnnotations('container', input),
    'io.kubernetes.cri.container-name': checkText('config.metadata.name', input.config.metadata?.name ?? ''),
    'io.kubernetes.cri.image-name': checkText('config.image', input.config.image?.userSpecifiedImage || input.config.image?.image || ''),
  },
});

/** The part that a pod's own (`sandbox`) container has too. */
export function sandboxAnnotations(type: 'sandbox' | 'container', { podId, podConfig }: Pick<SpecInput, 'podId' | 'podConfig'>): Record<string, string> {
  return {
    'io.kubernetes.cri.container-type': type,
    'io.kubernetes.cri.sandbox-id': podId,
    'io.kubernetes.cri.sandbox-name': checkText('sandbox_config.metadata.name', podConfig.metadata?.name ?? ''),
    'io.kubernetes.cri.sandbox-namespace': checkText('sandbox_config.metadata.namespace', podConfig.metadata?.namespace ?? ''),
    'io.kubernetes.cri.sandbox-uid': checkText('sandbox_config.metadata.uid', podConfig.metadata?.uid ?? ''),
  };
}
