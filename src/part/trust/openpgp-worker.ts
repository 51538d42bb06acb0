/**
 * The thread in which OpenPGP signatures are verified: the library is loaded in here only, and whatever a hostile packet makes of it stays within the
 * thread's memory and time.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { CompressedDataPacket, LiteralDataPacket, Message, OnePassSignaturePacket, PacketList, readKeys, readMessage, SignaturePacket, verify } from 'openpgp';
import type { AnyPacket, Key } from 'openpgp';
import { messageOf } from '../../base/errors.ts';
import { largestSignature } from './signature-limits.ts';
import type { OpenPgpAnswer, OpenPgpQuestion, OpenPgpVerdict } from './openpgp-signature.ts';

const messageConfig = { maxDecompressedMessageSize: largestSignature, ignoreUnsupportedPackets: false };

const armor = /-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*?-----END PGP PUBLIC KEY BLOCK-----/g;

async function answer({ keys, signatures }: OpenPgpQuestion): Promise<OpenPgpAnswer> {
  const known: Key[] = [];
  for (const { name, bytes } of keys) {
    try {
      known.push(...(await readPublicKeys(bytes)));
    } catch (error) {
      return { problem: `${name} has no OpenPGP public keys: ${messageOf(error)}` };
    }
  }
  const verdicts: OpenPgpVerdict[] = [];
  for (const bytes of signatures) verdicts.push(await judge(bytes, known).catch((error: unknown) => ({ why: messageOf(error) })));
  return { verdicts };
}

async function readPublicKeys(bytes: Uint8Array): Promise<Key[]> {
  const blocks = Buffer.from(bytes).toString('latin1').match(armor);
  const found = blocks === null ? [await readKeys({ binaryKeys: bytes })] : await Promise.all(blocks.map((block) => readKeys({ armoredKeys: block })));
  const keys = found.flat();
  if (keys.length === 0) throw new Error('it is empty');
  if (keys.some((key) => key.isPrivate())) throw new Error('it holds a private key, which does not belong on a node');
  return keys;
}

/** What was signed, if exactly one signature covers all of it, and one of the keys made it and is good. */
async function judge(bytes: Uint8Array, keys: readonly Key[]): Promise<OpenPgpVerdict> {
  const message = await readSignedText(bytes);
  const [keyId] = message.getSigningKeyIDs();
  if (keyId === undefined) return { why: 'it does not say by which key it is' };
  let why = `it is made with the key ${keyId.toHex().toUpperCase()}, which is none of those that are trusted`;
  for (const key of keys.filter((each) => each.getKeys(keyId).length > 0)) { // more than one when a key is there with and without its renewal
    try {
      return { content: await contentSignedBy(key, message) };
    } catch (error) {
      why = `it is made with the key ${keyId.toHex().toUpperCase()}: ${messageOf(error)}`;
    }
  }
  return { why };
}

async function contentSignedBy(key: Key, message: Message<Uint8Array>): Promise<Uint8Array> {
  const { data, signatures } = await verify({ message, verificationKeys: key, format: 'binary' });
  const [signature, ...others] = signatures;
  if (signature === undefined || others.length > 0) throw new Error('it does not hold one signature');
  await signature.verified;
  // The library asks whether the key was good when it signed, by the date that the signer wrote. A key that is expired or revoked now may have written any.
  await key.getSigningKey(signature.keyID);
  return data as Uint8Array;
}

/**
 * Reads one signature around one literal text, compressed or not, and makes a message of nothing else. In what is nested, repeated or followed
 * by more, the text that is shown might be another than the one that is signed (CVE-2025-47934).
 */
async function readSignedText(bytes: Uint8Array): Promise<Message<Uint8Array>> {
  const outer = await allPackets((await readMessage({ binaryMessage: bytes, config: messageConfig })).packets);
  const [first] = outer;
  const packets = outer.length === 1 && first instanceof CompressedDataPacket ? await allPackets((first as unknown as { packets: PacketList<AnyPacket> }).packets) : outer;
  const kinds = packets.map((packet) => packet.constructor);
  const isOnePass = kinds.length === 3 && kinds[0] === OnePassSignaturePacket && kinds[1] === LiteralDataPacket && kinds[2] === SignaturePacket;
  const isOldStyle = kinds.length === 2 && kinds[0] === SignaturePacket && kinds[1] === LiteralDataPacket;
  if (!isOnePass && !isOldStyle) throw new Error('it is not one signed text');
  const list = new PacketList<AnyPacket>();
  list.push(...packets);
  return new Message<Uint8Array>(list);
}

/** The reader stops at the first packet with a text and keeps the rest in a stream. */
async function allPackets(list: PacketList<AnyPacket>): Promise<AnyPacket[]> {
  const { stream } = list as unknown as { stream: { readToEnd(join: (rest: AnyPacket[]) => AnyPacket[]): Promise<AnyPacket[]> } };
  return [...list, ...(await stream.readToEnd((rest) => rest))];
}

const port = parentPort!;
port.postMessage(await answer(workerData as OpenPgpQuestion));
