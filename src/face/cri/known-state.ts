import { failure } from '../../base/errors.ts';

interface StateFilter {
  readonly state?: { readonly state: number } | undefined;
}

/**
 * The filter of a list, whose state must be one that the CRI has: an unknown one would match nothing, and an empty list reads as
 * "there are none".
 */
export function withKnownState<Filter extends StateFilter>(filter: Filter | undefined, act: string, states: Readonly<Record<string, number>>): Filter | undefined {
  const state = filter?.state?.state;
  if (state === undefined || (state !== -1 && Object.values(states).includes(state))) return filter;
  throw failure('invalid-argument', { act, object: 'filter.state.state', why: `${state} is not a state that this version knows` });
}
