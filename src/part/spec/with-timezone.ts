import type { SpecStep } from './build-container-spec.ts';

const localtime = '/etc/localtime';

/** The node's time zone, as libraries look for it. A volume there, or on a directory above, is left alone. */
export const withTimezone: SpecStep = (spec, { defaults }) => {
  const covered = spec.mounts.some(({ destination }) => localtime === destination || localtime.startsWith(`${destination}/`));
  if (defaults.localtime === undefined || covered) return spec;
  return { ...spec, mounts: [...spec.mounts, { destination: localtime, type: 'bind', source: defaults.localtime, options: ['bind', 'rprivate', 'ro', 'nosuid', 'nodev', 'noexec'] }] };
};
