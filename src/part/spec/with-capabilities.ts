import { failure } from '../../base/errors.ts';
import type { Capability } from '../../gen/cri.ts';
import type { SpecStep } from './build-container-spec.ts';
import { capabilityName, capabilityNames } from '../../base/capabilities.ts';
import { badField, quote, securityContextField } from './check-field.ts';
import type { OciCapabilities } from './oci-spec.ts';

const field = `${securityContextField}.capabilities`;

/**
 * The node's default capabilities, then the CRI's add and drop, never more than the daemon has itself: a runtime fails on others. `ALL` and
 * privileged mean all that can be given here; one asked for by name that can't be given is failed-precondition.
 */
export const withCapabilities: SpecStep = (spec, { config, facts, defaults }) => {
  const context = config.linux?.securityContext;
  const own = new Set(facts.capabilities);
  const capabilities = context?.privileged ? sets(facts.capabilities, []) : chosenCapabilities(context?.capabilities, { own, defaults: defaults.capabilities });
  return { ...spec, process: { ...spec.process, capabilities } };
};

/** What a container that is not privileged gets of `own`, which are those that can be given. Errors: see withCapabilities. */
export function chosenCapabilities(asked: Capability | undefined, { own, defaults }: { own: ReadonlySet<string>; defaults: readonly string[] }): OciCapabilities {
  const add = parse('add_capabilities', asked?.addCapabilities);
  const drop = parse('drop_capabilities', asked?.dropCapabilities);
  const ambient = parse('add_ambient_capabilities', asked?.addAmbientCapabilities);
  refuseMissing('add_capabilities', add, own);
  refuseMissing('add_ambient_capabilities', ambient, own);

  // `ALL` sets the start, names change it: `drop: [ALL], add: [NET_ADMIN]` leaves NET_ADMIN, `add: [ALL], drop: [KILL]` all but KILL.
  const start = drop.has('ALL') ? [] : add.has('ALL') ? capabilityNames : defaults;
  const granted = new Set<string>([...start, ...add, ...named(ambient, own)]);
  for (const name of drop) granted.delete(name);
  const given = capabilityNames.filter((name) => granted.has(name) && own.has(name));
  return sets(given, named(ambient, own).filter((name) => granted.has(name)));
}

// The inheritable set stays empty (CVE-2022-24769), but for what shall be ambient: the kernel demands it there too.
function sets(given: readonly string[], ambient: readonly string[]): OciCapabilities {
  return { bounding: [...given], effective: [...given], permitted: [...given], inheritable: [...ambient], ambient: [...ambient] };
}

function named(asked: ReadonlySet<string>, own: ReadonlySet<string>): string[] {
  return capabilityNames.filter((name) => own.has(name) && (asked.has(name) || asked.has('ALL')));
}

// A misspelt name in `drop` would leave a privilege behind, so it is an error.
function parse(which: string, names: readonly string[] = []): Set<string> {
  return new Set(
    names.map((text, index) => {
      if (text.toUpperCase() === 'ALL') return 'ALL';
      const name = capabilityName(text);
      if (name === undefined) throw badField(`${field}.${which}[${index}]`, `${quote(text)} is no capability of Linux`);
      return name;
    }),
  );
}

function refuseMissing(which: string, asked: ReadonlySet<string>, own: ReadonlySet<string>): void {
  const missing = [...asked].filter((name) => name !== 'ALL' && !own.has(name));
  if (missing.length === 0) return;
  throw failure('failed-precondition', {
    act: 'grant',
    object: missing.join(', '),
    why: `${field}.${which} asks for it, but gantry itself does not have it on this node: give it to the gantry service`,
  });
}
