import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { GantryError } from '../../../base/errors.ts';
import { decodeMessage, encodeMessage } from './channel-message.ts';

const codecs = ['binary', 'base64'] as const;

test('what is encoded for a channel is decoded from it, in both forms', () => {
  fc.assert(fc.property(fc.constantFrom(...codecs), fc.nat(200), fc.uint8Array({ maxLength: 300 }), (codec, channel, bytes) => {
    const { message, text } = encodeMessage(channel, Buffer.from(bytes), codec);

    assert.equal(text, codec === 'base64');
    assert.deepEqual(decodeMessage(message, codec), { type: 'data', channel, bytes: Buffer.from(bytes) });
  }), { numRuns: 500 });
});

test('anything at all is a message, nothing, or a refusal of ours', () => {
  fc.assert(fc.property(fc.constantFrom(...codecs), fc.uint8Array({ maxLength: 20 }), (codec, bytes) => {
    try {
      decodeMessage(Buffer.from(bytes), codec);
    } catch (error) {
      assert.ok(codec === 'base64' && error instanceof GantryError && error.kind === 'invalid-argument', String(error));
    }
  }), { numRuns: 2000 });
});

test('channel 255 names the channel that ends, in the binary form', () => {
  assert.deepEqual(decodeMessage(Buffer.from([255, 0]), 'binary'), { type: 'close', channel: 0 });
  assert.equal(decodeMessage(Buffer.from([255]), 'binary'), undefined);
  assert.equal(decodeMessage(Buffer.from([255, 0, 0]), 'binary'), undefined);
});

test('a message without content is nothing, and base64 has to be whole', () => {
  for (const codec of codecs) assert.equal(decodeMessage(Buffer.alloc(0), codec), undefined);
  assert.deepEqual(decodeMessage(Buffer.from('1Cg=='), 'base64'), { type: 'data', channel: 1, bytes: Buffer.from('\n') });
  for (const text of ['0C', '0Cg', '0Cg=', '0Cg==\n', '0C g=', '0====', '0_-8=']) {
    assert.throws(() => decodeMessage(Buffer.from(text), 'base64'), { kind: 'invalid-argument', message: 'read WebSocket message: after its channel it is not base64' }, text);
  }
});
