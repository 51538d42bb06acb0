import { isAbsolute, join } from 'node:path';
import { failure } from '../../base/errors.ts';
import type { ContainerConfig, PodSandboxConfig } from '../../gen/cri.ts';

/**
 * Where the container's log goes: the pod's log directory and the container's path in it (CRI ContainerConfig.log_path). It never
 * leaves that directory (CVE-2025-0750). Empty when either is: then nothing is logged.
 */
export function logPathOf(pod: Pick<PodSandboxConfig, 'logDirectory'>, container: Pick<ContainerConfig, 'logPath'>): string {
  if (pod.logDirectory === '' || container.logPath === '') return '';
  const elements = container.logPath.split('/');
  if (isAbsolute(container.logPath) || elements.includes('..') || container.logPath.includes('\0')) {
    throw failure('invalid-argument', { act: 'create container', object: 'config.log_path', why: `${JSON.stringify(container.logPath.slice(0, 200))} is not a path beneath the pod's log directory` });
  }
  return join(pod.logDirectory, container.logPath);
}
