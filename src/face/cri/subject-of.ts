import type { LogFields } from '../../base/log.ts';

/** The fields that say what a request is about. Nothing else of a request is ever logged: it carries environments and credentials. */
interface Telling {
  readonly podSandboxId?: string;
  readonly containerId?: string;
  readonly image?: { readonly image: string };
  readonly config?: { readonly metadata?: { readonly name: string; readonly namespace?: string } };
  readonly sandboxConfig?: { readonly metadata?: { readonly name: string; readonly namespace: string } };
}

/** The names, ids and references of a request, for its log line. */
export function subjectOf(request: object): LogFields {
  const told = request as Telling;
  const own = told.config?.metadata;
  const pod = told.sandboxConfig?.metadata ?? (own?.namespace === undefined ? undefined : own);
  return {
    ...(told.podSandboxId ? { pod: told.podSandboxId } : {}),
    ...(told.containerId ? { container: told.containerId } : {}),
    ...(told.image === undefined ? {} : { image: told.image.image }),
    ...(pod === undefined ? {} : { podName: `${pod.namespace}/${pod.name}` }),
    ...(own !== undefined && own.namespace === undefined ? { containerName: own.name } : {}),
  };
}
