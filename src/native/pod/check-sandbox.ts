import { failure } from '../../base/errors.ts';
import { NamespaceMode } from '../../gen/cri.ts';
import type { PodSandboxConfig } from '../../gen/cri.ts';
import type { OciRuntime } from '../../part/oci/oci-runtime.ts';
import { namespaceOptions, podIdMappings, podName } from '../../part/spec/pod-config.ts';

/** Refuses what a pod cannot have where its containers run in a gVisor sandbox, before anything is made: failed-precondition. */
export function checkSandbox({ sandbox, name }: Pick<OciRuntime, 'sandbox' | 'name'>, config: PodSandboxConfig): void {
  if (sandbox === undefined) return;
  const { network, pid, ipc } = namespaceOptions(config);
  const refuse = (field: string, why: string): never => {
    throw failure('failed-precondition', { act: 'run pod', object: podName(config), why: `config.linux.security_context.namespace_options.${field}: handler ${name} runs pods in gVisor sandboxes, ${why}` });
  };
  if (network === NamespaceMode.NODE && !sandbox.hostNetwork) refuse('network', 'whose own network cannot be the node\'s: give the handler the flag --network=host, or the pod another handler');
  if (pid === NamespaceMode.NODE) refuse('pid', 'which never see the processes of the node');
  if (ipc === NamespaceMode.NODE) refuse('ipc', 'which have IPC objects of their own');
  const sysctl = Object.keys(config.linux?.sysctls ?? {}).find((key) => !(sandbox.hostNetwork && key.startsWith('net.')));
  if (sysctl !== undefined) throw failure('failed-precondition', { act: 'run pod', object: podName(config), why: `config.linux.sysctls[${sysctl}]: handler ${name} runs pods in gVisor sandboxes, on whose own kernel it cannot be set: leave it out` });
  if (podIdMappings(config) !== undefined) refuse('userns_options', 'which have users of their own already: leave the user namespace out');
}
