import { isAbsolute, join } from 'node:path';
import type { ContainerConfig, PodSandboxConfig } from '../../gen/cri.ts';
import { badField, checkAbsolutePath, quote } from './check-field.ts';

/**
 * Where the container's log goes: the pod's log directory and the container's path in it (CRI ContainerConfig.log_path). It never
 * leaves that directory (CVE-2025-0750). Empty when either is: then nothing is logged.
 */
export function logPathOf(pod: Pick<PodSandboxConfig, 'logDirectory'>, container: Pick<ContainerConfig, 'logPath'>): string {
  if (pod.logDirectory === '' || container.logPath === '') return '';
  const elements = container.logPath.split('/');
  if (isAbsolute(container.logPath) || elements.includes('..') || container.logPath.includes('\0')) {
    throw badField('config.log_path', `${quote(container.logPath)} is not a path beneath the pod's log directory`);
  }
  refuseColon('sandbox_config.log_directory', pod.logDirectory);
  refuseColon('config.log_path', container.logPath);
  if (['', '.'].includes(elements.at(-1)!)) throw badField('config.log_path', `${quote(container.logPath)} is a directory, not a file`);
  return checkAbsolutePath('config.log_path', join(pod.logDirectory, container.logPath));
}

// conmon takes `driver:path`, and what follows a second colon for something else.
function refuseColon(field: string, path: string): void {
  if (path.includes(':')) throw badField(field, `${quote(path)} has a colon, which conmon cannot take in a log path`);
}
