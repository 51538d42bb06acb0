import type { SpecStep } from './build-container-spec.ts';

const mostOpenFiles = 1_048_576n;

/**
 * The CRI has no word for rlimits. Left out, a container would inherit the soft limit that Node.js raised for itself; so the number of open files is
 * set to the daemon's hard limit, at most 1,048,576. Whoever wants another value sets LimitNOFILE of the service.
 */
export const withRlimits: SpecStep = (spec, { facts }) => {
  const limit = facts.openFilesHardLimit < mostOpenFiles ? facts.openFilesHardLimit : mostOpenFiles;
  return { ...spec, process: { ...spec.process, rlimits: [{ type: 'RLIMIT_NOFILE', soft: limit, hard: limit }] } };
};
