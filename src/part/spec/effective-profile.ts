import type { SecurityProfile } from '../../gen/cri.ts';
import { SecurityProfile_ProfileType as ProfileType } from '../../gen/cri.ts';
import { badField, checkEnum, quote } from './check-field.ts';

/** A seccomp or AppArmor wish. `field` is where it was read from, for messages about the reference. */
export type Profile =
  | { readonly kind: 'runtime-default' }
  | { readonly kind: 'unconfined' }
  | { readonly kind: 'localhost'; readonly reference: string; readonly field: string };

/**
 * What the CRI's profile message says, or else the deprecated string in front of which it came (`runtime/default`, `docker/default`,
 * `unconfined`, `localhost/<reference>`); undefined when neither says anything. New kubelets send both, and the message counts.
 */
export function effectiveProfile(asked: { field: string; value: SecurityProfile | undefined; oldField: string; oldValue: string }): Profile | undefined {
  if (asked.value !== undefined) return ofMessage(asked.field, asked.value);
  return asked.oldValue === '' ? undefined : ofText(asked.oldField, asked.oldValue);
}

function ofMessage(field: string, { profileType, localhostRef }: SecurityProfile): Profile {
  checkEnum(`${field}.profile_type`, profileType, ProfileType);
  if (profileType === ProfileType.Localhost) return localhost(`${field}.localhost_ref`, localhostRef);
  if (localhostRef !== '') throw badField(`${field}.localhost_ref`, 'it can only be given with profile_type Localhost');
  return { kind: profileType === ProfileType.Unconfined ? 'unconfined' : 'runtime-default' };
}

function ofText(field: string, text: string): Profile {
  if (text === 'runtime/default' || text === 'docker/default') return { kind: 'runtime-default' };
  if (text === 'unconfined') return { kind: 'unconfined' };
  if (text.startsWith('localhost/')) return localhost(field, text.slice('localhost/'.length));
  throw badField(field, `${quote(text)} is none of runtime/default, unconfined and localhost/<profile>`);
}

function localhost(field: string, text: string): Profile {
  // The message's reference is the bare one, but some clients keep the prefix of the deprecated string.
  const reference = text.startsWith('localhost/') ? text.slice('localhost/'.length) : text;
  if (reference === '') throw badField(field, 'profile type Localhost needs a profile');
  return { kind: 'localhost', reference, field };
}
