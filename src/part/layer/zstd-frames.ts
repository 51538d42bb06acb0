/**
 * Cuts a stream of zstd data at its frame boundaries (RFC 8878, section 3.1). Node's decoder stops for good where a frame ends
 * within a write, and forgets what follows; when each write stays within one frame it goes on with the next. Files of several
 * frames are usual: `pzstd` and zstd:chunked images write them.
 */
import { failure } from '../../base/errors.ts';

const dataMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50; // and the 15 numbers after it
const blockTypeRle = 1;

/** The state of the cutter: it wants `left` bytes, then does `then`. */
type Step = 'magic' | 'frame-header' | 'block-header' | 'skippable-size' | 'block' | 'block-last' | 'frame-end';

export class ZstdFrameCutter {
  #step: Step = 'magic';
  #left = 4;
  #field = Buffer.alloc(4);
  #fieldLength = 0;
  #hasChecksum = false;

  /** The pieces of `bytes`, none of which goes beyond the end of a frame. */
  *cut(bytes: Buffer): Generator<Buffer> {
    let start = 0;
    let at = 0;
    while (at < bytes.length) {
      const taken = Math.min(this.#left, bytes.length - at);
      if (this.#isField()) bytes.copy(this.#field, this.#fieldLength, at, at + taken);
      this.#fieldLength += taken;
      this.#left -= taken;
      at += taken;
      // A step of zero bytes (an empty block, no checksum) is done as soon as it is reached.
      while (this.#left === 0) {
        if (this.#advance()) {
          yield bytes.subarray(start, at);
          start = at;
        }
      }
    }
    if (start < at) yield bytes.subarray(start, at);
  }

  #isField(): boolean {
    return this.#step === 'magic' || this.#step === 'frame-header' || this.#step === 'block-header' || this.#step === 'skippable-size';
  }

  /** Ends the current step; true when that ended a frame. */
  #advance(): boolean {
    const step = this.#step;
    this.#fieldLength = 0;
    switch (step) {
      case 'magic':
        this.#afterMagic(this.#field.readUInt32LE(0));
        return false;
      case 'frame-header':
        this.#afterDescriptor(this.#field[0] ?? 0);
        return false;
      case 'block-header':
        this.#afterBlockHeader(this.#field.readUIntLE(0, 3));
        return false;
      case 'skippable-size':
        this.#want('frame-end', this.#field.readUInt32LE(0));
        return false;
      case 'block':
        this.#want('block-header', 3);
        return false;
      case 'block-last':
        this.#want('frame-end', this.#hasChecksum ? 4 : 0);
        return false;
      case 'frame-end':
        this.#want('magic', 4);
        return true;
    }
  }

  #want(step: Step, bytes: number): void {
    this.#step = step;
    this.#left = bytes;
  }

  #afterMagic(magic: number): void {
    if (magic === dataMagic) this.#want('frame-header', 1);
    else if (magic >= skippableMagic && magic <= skippableMagic + 15) this.#want('skippable-size', 4);
    else throw failure('failed-precondition', { act: 'inflate layer', why: 'the zstd data is damaged: no frame begins where one should' });
  }

  #afterDescriptor(descriptor: number): void {
    this.#hasChecksum = (descriptor & 0x04) !== 0;
    const singleSegment = (descriptor & 0x20) !== 0;
    const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 0x03] ?? 0;
    const contentSizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
    // The rest of the frame header is passed over like a block.
    this.#want('block', (singleSegment ? 0 : 1) + dictionaryIdBytes + contentSizeBytes);
  }

  #afterBlockHeader(header: number): void {
    const type = (header >> 1) & 0x03;
    this.#want((header & 1) === 1 ? 'block-last' : 'block', type === blockTypeRle ? 1 : header >> 3);
  }
}
