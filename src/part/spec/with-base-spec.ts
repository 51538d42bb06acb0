import { mergeBaseSpec } from './base-spec.ts';
import type { SpecStep } from './build-container-spec.ts';

/** What the handler's base spec says and no step before said. */
export const withBaseSpec: SpecStep = (spec, { handler: { baseSpec } }) => (baseSpec === undefined ? spec : mergeBaseSpec(baseSpec, spec));
