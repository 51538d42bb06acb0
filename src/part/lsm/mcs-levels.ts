import { randomInt } from 'node:crypto';
import { failure } from '../../base/errors.ts';

export interface McsLevelsOptions {
  /** Categories c0 to c(n-1) are given out, two a pod. */
  readonly categories: number;
  /** The levels that pods on record have. The records are the memory: what is removed there is free again, also after a crash. */
  readonly inUse: () => Iterable<string>;
  /** A whole number below `below`. */
  readonly random?: (below: number) => number;
}

/**
 * SELinux levels that keep pods apart: a pair of categories of its own for each (Multi-Category Security). Files of one pod are then out
 * of reach for the processes of every other.
 */
export class McsLevels {
  readonly #options: Required<McsLevelsOptions>;
  /** Levels of pods that are not yet on record, by pod id. */
  readonly #reserved = new Map<string, string>();

  constructor(options: McsLevelsOptions) {
    this.#options = { random: (below) => randomInt(below), ...options };
  }

  /**
   * A level that no other pod has, such as `s0:c12,c345`; kept for this owner until `settle`. Levels are taken at random, so that one that was just
   * freed, of which files may be left, is not the next. None free: resource-exhausted.
   */
  reserve(owner: string, sensitivity: string): string {
    const { categories, inUse, random } = this.#options;
    const taken = new Set([...inUse(), ...this.#reserved.values()].map((level) => level.slice(level.indexOf(':') + 1)));
    const pairs = (categories * (categories - 1)) / 2;
    const start = random(pairs);
    for (let step = 0; step < pairs; step++) {
      const pair = pairNumber((start + step) % pairs);
      if (taken.has(pair)) continue;
      const level = `${sensitivity}:${pair}`;
      this.#reserved.set(owner, level);
      return level;
    }
    throw failure('resource-exhausted', { act: 'choose SELinux categories', why: `all ${pairs} pairs are taken by pods; raise security.selinux_categories` });
  }

  /** The owner's level is on record now, or the owner failed to come into being. */
  settle(owner: string): void {
    this.#reserved.delete(owner);
  }
}

/** The pairs c0,c1; c0,c2; c1,c2; c0,c3; … by their number: those whose larger category is n come after n(n-1)/2 others. */
function pairNumber(index: number): string {
  let larger = Math.floor((1 + Math.sqrt(1 + 8 * index)) / 2);
  if ((larger * (larger - 1)) / 2 > index) larger--; // the root was rounded up
  return `c${index - (larger * (larger - 1)) / 2},c${larger}`;
}
