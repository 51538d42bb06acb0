import type { SpecStep } from './build-container-spec.ts';

/** The block I/O parameters and the RDT group of the classes that annotations chose. */
export const withResourceClasses: SpecStep = (spec, { blockIo, rdtClass }) => ({
  ...spec,
  linux: {
    ...spec.linux,
    ...(blockIo === undefined ? {} : { resources: { ...spec.linux.resources, blockIO: blockIo } }),
    ...(rdtClass === undefined ? {} : { intelRdt: { closID: rdtClass } }),
  },
});
