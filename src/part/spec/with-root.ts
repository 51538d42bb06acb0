import type { SpecStep } from './build-container-spec.ts';

export const withRoot: SpecStep = (spec, input) => ({
  ...spec,
  root: { path: input.rootfs, readonly: input.config.linux?.securityContext?.readonlyRootfs ?? false },
});
