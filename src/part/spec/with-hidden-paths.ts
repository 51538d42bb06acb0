import type { SpecStep } from './build-container-spec.ts';
import { checkAbsolutePath, securityContextField } from './check-field.ts';

/**
 * The masked and read-only paths exactly as the kubelet sends them: it sends the usual ones itself, and none when a pod asks for
 * procMount: Unmasked. A privileged container has none (LinuxContainerSecurityContext.privileged, effects 2 and 3).
 */
export const withHiddenPaths: SpecStep = (spec, { config }) => {
  const context = config.linux?.securityContext;
  if (context === undefined || context.privileged) return spec;
  const paths = (name: string, values: readonly string[]): string[] =>
    values.map((value, index) => checkAbsolutePath(`${securityContextField}.${name}[${index}]`, value));
  return {
    ...spec,
    linux: { ...spec.linux, maskedPaths: paths('masked_paths', context.maskedPaths), readonlyPaths: paths('readonly_paths', context.readonlyPaths) },
  };
};

/** What Kubernetes hides of /proc and /sys for procMount: Default. For containers of our own, which no kubelet describes. */
export const defaultMaskedPaths: readonly string[] = [
  '/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/sched_debug', '/proc/scsi',
  '/proc/timer_list', '/proc/timer_stats', '/sys/devices/virtual/powercap', '/sys/firmware',
];

/** What Kubernetes makes read-only for procMount: Default. */
export const defaultReadonlyPaths: readonly string[] = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
