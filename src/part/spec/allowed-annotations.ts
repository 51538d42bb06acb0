import { checkText } from './check-field.ts';
import type { HandlerDefaults } from './container-defaults.ts';

/**
 * The annotations that a handler's runtime may see: its own defaults, then those of the pod and of the container that its configuration allows,
 * later ones winning. Without a pattern that fits none passes: runtimes read isolation settings from them (CVE-2023-6476, CVE-2024-3154).
 */
export function allowedAnnotations(handler: HandlerDefaults, ...given: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const patterns = handler.allowedAnnotations.map(asExpression);
  const allowed = given.flatMap((annotations) => Object.entries(annotations)).filter(([name]) => patterns.some((pattern) => pattern.test(name)));
  for (const [name, value] of allowed) checkText(`annotations[${name}]`, `${name}${value}`);
  return { ...handler.annotations, ...Object.fromEntries(allowed) };
}

/** A `*` is any characters, slashes too; everything else is itself. */
function asExpression(pattern: string): RegExp {
  return new RegExp(`^${pattern.split('*').map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`, 's');
}
