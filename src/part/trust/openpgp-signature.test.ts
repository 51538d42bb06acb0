/** With keys of the library itself, as it makes those that nobody should have; check-policy.root.test.ts has signatures by GnuPG. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { createMessage, enums, generateKey, PacketList, readMessage, reformatKey, revokeKey, sign } from 'openpgp';
import type { PrivateKey } from 'openpgp';
import { largestSignature } from './signature-limits.ts';
import { verifyOpenPgp } from './openpgp-signature.ts';

const day = 24 * 60 * 60 * 1000;
const userIDs = [{ name: 'signer' }];
const content = Buffer.from('{"critical":{}}');

async function makeKey(options: { date?: Date; keyExpirationTime?: number; subkeys?: { sign: boolean }[] } = {}): Promise<PrivateKey> {
  return (await generateKey({ type: 'curve25519', userIDs, format: 'object', date: new Date(Date.now() - 2 * day), ...options })).privateKey;
}

async function signed(key: PrivateKey | PrivateKey[], options: { text?: Uint8Array; date?: Date } = {}): Promise<Uint8Array> {
  const message = await createMessage({ binary: options.text ?? content });
  return (await sign({ message, signingKeys: key, format: 'binary', ...(options.date === undefined ? {} : { date: options.date }) })) as Uint8Array;
}

/** A compressed data packet (RFC 9580, 5.6) with a ZIP body. */
function compressed(packets: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from([1]), deflateRawSync(packets)]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([Buffer.from([0xc8, 0xff]), length, body]);
}

const named = (bytes: Uint8Array) => [{ name: 'the key', bytes }];
const binary = (key: PrivateKey): Uint8Array => key.toPublic().write() as Uint8Array;

test('what a trusted key or its subkey signed is handed back', async () => {
  const [plain, withSubkey, stranger] = [await makeKey(), await makeKey({ subkeys: [{ sign: true }] }), await makeKey()];
  const keys = [...named(Buffer.from(plain.toPublic().armor() + withSubkey.toPublic().armor()))];
  const signatures = [await signed(plain), compressed(await signed(withSubkey)), await signed(stranger), Buffer.from('nonsense')];

  const verdicts = await verifyOpenPgp({ keys, signatures });

  for (const verdict of verdicts.slice(0, 2)) assert.deepEqual('content' in verdict && Buffer.from(verdict.content), content);
  const whys = verdicts.map((verdict) => ('why' in verdict ? verdict.why : ''));
  assert.match(whys[2]!, /^it is made with the key [0-9A-F]{16}, which is none of those that are trusted$/);
  assert.notEqual(whys[3], '');
});

test('a key that is expired or revoked now is no good, whatever date the signature has', async () => {
  const created = new Date(Date.now() - 10 * day);
  const expired = await makeKey({ date: created, keyExpirationTime: 24 * 60 * 60 });
  const whenGood = new Date(created.getTime() + 60_000);
  const key = await makeKey();
  const revoked = (await revokeKey({ key, reasonForRevocation: { flag: enums.reasonForRevocation.keyCompromised }, format: 'object' })).privateKey;
  const renewed = (await reformatKey({ privateKey: expired, userIDs, keyExpirationTime: 0, format: 'object', date: created })).privateKey;
  const backdated = await signed(expired, { date: whenGood });

  const ask = async (keys: PrivateKey[], signature: Uint8Array) => (await verifyOpenPgp({ keys: keys.flatMap((each) => named(binary(each))), signatures: [signature] }))[0]!;

  for (const [verdict, why] of [[await ask([expired], backdated), /expired/], [await ask([revoked], await signed(key)), /revoked/]] as const) {
    assert.match('why' in verdict ? verdict.why : 'accepted', why);
  }
  assert.ok('content' in (await ask([expired, renewed], backdated)), 'a renewed copy beside the expired one');
});

test('only one signature around one text is accepted, and nothing that is too large or weak', async () => {
  const key = await makeKey();
  const good = await signed(key);
  const packets = (await readMessage<Uint8Array>({ binaryMessage: good })).packets;
  const odd = new PacketList<(typeof packets)[number]>();
  odd.push(...packets, ...packets);
  const unsigned = (await createMessage({ binary: content })).write() as Uint8Array;
  const tampered = Buffer.from(good);
  tampered[tampered.indexOf('critical')]! ^= 1;
  const cases: [name: string, signature: Uint8Array, why: RegExp][] = [
    ['twice the packets', odd.write() as Uint8Array, /Unexpected packet/],
    ['compressed, with another text behind', Buffer.concat([compressed(good), unsigned]), /not one signed text|Unexpected packet/],
    ['another text inside, behind the signed one', compressed(Buffer.concat([good, unsigned])), /not one signed text|Unexpected packet/],
    ['two signers', await signed([key, await makeKey()]), /not one signed text/],
    ['not signed at all', unsigned, /not one signed text/],
    ['tampered', tampered, /Signature verification failed|Signed digest did not match/],
    ['a bomb', compressed(await signed(key, { text: Buffer.alloc(largestSignature * 64) })), /Maximum decompressed message size exceeded/],
  ];
  const verdicts = await verifyOpenPgp({ keys: named(binary(key)), signatures: cases.map(([, signature]) => signature) });

  for (const [index, [name, , why]] of cases.entries()) {
    const verdict = verdicts[index]!;
    assert.match('why' in verdict ? verdict.why : 'accepted', why, name);
  }
});

test('keys that cannot be read, and private ones, are refused by name', async () => {
  const key = await makeKey();
  const refusal = (message: RegExp) => ({ kind: 'failed-precondition', criReason: 'SignatureValidationFailed', message });

  await assert.rejects(verifyOpenPgp({ keys: named(Buffer.from('no key')), signatures: [] }), refusal(/the key has no OpenPGP public keys/));
  await assert.rejects(verifyOpenPgp({ keys: named(key.write() as Uint8Array), signatures: [] }), refusal(/private key, which does not belong on a node/));
});
