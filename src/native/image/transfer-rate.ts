/** How many bytes a second arrive now: counted in windows of a second, so that adding costs no memory. */
const windowMs = 1000;

export class TransferRate {
  #windowBegan: number;
  #windowBytes = 0;
  /** Of the window before; undefined in the first. */
  #before: number | undefined;

  constructor(nowMs: number) {
    this.#windowBegan = nowMs;
  }

  add(bytes: number, nowMs: number): void {
    const elapsedMs = nowMs - this.#windowBegan;
    if (elapsedMs >= windowMs) {
      this.#before = (this.#windowBytes * 1000) / elapsedMs;
      this.#windowBegan = nowMs;
      this.#windowBytes = 0;
    }
    this.#windowBytes += bytes;
  }

  /** Whole bytes a second: of the last whole window, of the first as far as it goes, and less and less when nothing arrives any more. */
  perSecond(nowMs: number): number {
    const elapsedMs = nowMs - this.#windowBegan;
    if (this.#before !== undefined && elapsedMs < windowMs) return Math.round(this.#before);
    return elapsedMs <= 0 ? 0 : Math.round((this.#windowBytes * 1000) / elapsedMs);
  }
}
