/**
 * Kubernetes quantities (apimachinery "Quantity"): a decimal number with a binary (Ki … Ei), decimal (n, u, m, k … E) or exponent
 * (1e3) suffix. Computed exactly, with whole numbers, then rounded up, as Kubernetes does.
 */

const decimal: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const binary: Readonly<Record<string, bigint>> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };
const form = /^\+?(\d*)(?:\.(\d*))?(?:(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE])|[eE]([+-]?\d{1,2}))?$/;

/** The quantity times 10^`shift` (3: in thousandths), rounded up; undefined when it is not a quantity, or is negative. */
export function parseQuantity(text: string, shift: 0 | 3): bigint | undefined {
  const match = form.exec(text);
  if (!match || text.length > 40) return undefined;
  const [, whole = '', fraction = '', suffix = '', exponent] = match;
  if (whole === '' && fraction === '') return undefined;

  const digits = BigInt(`${whole}${fraction}`);
  const scale = binary[suffix];
  const power = shift - fraction.length + (scale === undefined ? Number(exponent ?? decimal[suffix]) : 0);
  const scaled = scale === undefined ? digits : digits << scale;
  if (power >= 0) return scaled * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  return (scaled + divisor - 1n) / divisor;
}
