/** Arbitraries of property tests: mostly what a sane client sends, and now and then what a broken or malicious one could. */
import * as fc from 'fast-check';
import { unset } from './example-input.fake.ts';

// One value in twenty is hostile, so that many builds get as far as the last step and each check is met.
export const hostileText: fc.Arbitrary<string> = fc.oneof(fc.string(), fc.constantFrom('', '/', '/..', '/../x', 'a\0b', '__proto__', 'x'.repeat(300), '\ud800', '%s', '\n'));
export const text = (...sane: string[]): fc.Arbitrary<string> => fc.oneof({ weight: 19, arbitrary: fc.constantFrom(...sane) }, { weight: 1, arbitrary: hostileText });
export const texts = (...sane: string[]): fc.Arbitrary<string[]> => fc.array(text(...sane), { maxLength: 3 });
export const number = (...sane: bigint[]): fc.Arbitrary<bigint> => fc.oneof({ weight: 19, arbitrary: fc.constantFrom(...sane) }, { weight: 1, arbitrary: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) });
export const choice = (...sane: number[]): fc.Arbitrary<never> =>
  fc.oneof({ weight: 19, arbitrary: fc.constantFrom(...sane) }, { weight: 1, arbitrary: fc.integer({ min: -2, max: 9 }) }) as fc.Arbitrary<never>;
export const few = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(item, { maxLength: 2 });

/** Messages in which some of these fields are set. */
export function some<T>(message: { decode(bytes: Uint8Array): T }, fields: { [K in keyof T]?: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: [] }).map((chosen) => ({ ...unset(message), ...(chosen as Partial<T>) }));
}
