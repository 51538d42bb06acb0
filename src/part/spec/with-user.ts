import type { SpecStep } from './build-container-spec.ts';

/** The mask is written out: the daemon's own, which the process would inherit, is tighter than what images expect. */
export const withUser: SpecStep = (spec, { identity, defaults }) => ({
  ...spec,
  process: {
    ...spec.process,
    user: { uid: identity.uid, gid: identity.gid, umask: defaults.umask, additionalGids: [...identity.additionalGids] },
  },
});
