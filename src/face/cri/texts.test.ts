/** Texts that are not UTF-8 (src/face/grpc/decode-request.ts), in every field of the CRI. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { Client, credentials } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { ContainerConfig, CreateContainerRequest, ImageServiceService, KeyValue, ListContainersRequest, PodSandboxConfig, RunPodSandboxRequest, RuntimeServiceService } from '../../gen/cri.ts';
import { decodeRequest } from '../grpc/decode-request.ts';
import { fakeEngine, only } from './engine.fake.ts';
import { apiVersions } from './rpc.ts';
import { served } from './served.fake.ts';

interface Facts {
  readonly rpcs: Readonly<Record<string, string>>;
  readonly messages: Readonly<Record<string, readonly (readonly [number: number, name: string, type: string])[]>>;
}

/** What Kubernetes published of the newest CRI: names as the proto spells them. */
const facts = JSON.parse(readFileSync(new URL('../../gen/published/v1-1.37.json', import.meta.url), 'utf8')) as Facts;
const services: Readonly<Record<string, { readonly requestDeserialize: (bytes: Buffer) => object }>> = { ...RuntimeServiceService, ...ImageServiceService };

const lengthDelimited = 2;
const notUtf8 = Buffer.from([0x61, 0xc3, 0x28]);

function field(number: number, content: Uint8Array): Buffer {
  return Buffer.from(new BinaryWriter().tag(number, lengthDelimited).bytes(content).finish());
}

interface Broken {
  /** As the refusal must name it. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** For every text below a message, the message with nothing but that text, which is not UTF-8. */
function everyBrokenText(message: string): Broken[] {
  return (facts.messages[message] ?? []).flatMap(([number, name, type]): Broken[] => {
    const item = type.replace('repeated ', '');
    const index = type === item ? '' : '[0]';
    if (item === 'string') return [{ name: `${name}${index}`, bytes: field(number, notUtf8) }];
    if (item === 'map<string, string>') {
      const entry = (key: Uint8Array, value: Uint8Array): Buffer => field(number, Buffer.concat([field(1, key), field(2, value)]));
      return [
        { name: `${name} (a key of it)`, bytes: entry(notUtf8, Buffer.from('v')) },
        { name: `${name}["a.B/c"]`, bytes: entry(Buffer.from('a.B/c'), notUtf8) },
      ];
    }
    return everyBrokenText(item).map((below) => ({ name: `${name}${index}.${below.name}`, bytes: field(number, below.bytes) }));
  });
}

test('a text that is not UTF-8 is refused by the name that the proto gives it, in every field of every request', () => {
  let count = 0;
  for (const [rpc, signature] of Object.entries(facts.rpcs)) {
    const name = rpc.split('.')[1]!;
    const { requestDeserialize } = services[`${name[0]!.toLowerCase()}${name.slice(1)}`]!;
    for (const { name: object, bytes } of everyBrokenText(/^\((\w+)\)/.exec(signature)![1]!)) {
      const expected = { kind: 'invalid-argument', message: `${name} ${object}: the text is not valid UTF-8` };
      assert.throws(() => decodeRequest(name, requestDeserialize, bytes), expected);
      count += 1;
    }
  }
  assert.ok(count > 200, `only ${count} texts were tried`);
});

test('a valid request is decoded as the generated code does it, with every character', () => {
  const request = only(RunPodSandboxRequest, { config: only(PodSandboxConfig, { hostname: '\ufeffgrüezi \u{1f600} \ufffd', labels: { 'ключ': '値' } }), runtimeHandler: 'x'.repeat(5000) });
  const bytes = Buffer.from(RunPodSandboxRequest.encode(request).finish());

  assert.deepEqual(decodeRequest('RunPodSandbox', RuntimeServiceService.runPodSandbox.requestDeserialize, bytes), request);
});

test('the value of an environment variable is bytes, and may be any', () => {
  const envs = [only(KeyValue, { key: 'A', value: notUtf8 })];
  const bytes = Buffer.from(CreateContainerRequest.encode(only(CreateContainerRequest, { config: only(ContainerConfig, { envs }) })).finish());

  assert.deepEqual(decodeRequest('CreateContainer', RuntimeServiceService.createContainer.requestDeserialize, bytes).config?.envs, envs);
});

test('the second of two items is named as the second', () => {
  const config = Buffer.concat([field(3, Buffer.from('ok')), field(3, notUtf8)]);

  assert.throws(() => decodeRequest('CreateContainer', CreateContainerRequest.decode, field(2, config)), { message: 'CreateContainer config.command[1]: the text is not valid UTF-8' });
});

test('a text that a later field of the same number replaced is still refused', () => {
  const filters = Buffer.concat([field(1, field(1, notUtf8)), field(1, field(1, Buffer.from('ok')))]);

  assert.throws(() => decodeRequest('ListContainers', ListContainersRequest.decode, filters), { kind: 'invalid-argument', message: 'ListContainers: the text is not valid UTF-8' });
});

for (const apiVersion of apiVersions) {
  test(`a call of ${apiVersion} with a broken text is refused at the door`, async (t) => {
    const fake = fakeEngine();
    const { socketPath } = await served(t, fake);
    const client = new Client(`unix:${socketPath}`, credentials.createInsecure());
    t.after(() => client.close());
    const path = `/runtime.${apiVersion}.RuntimeService/RunPodSandbox`;
    const asIs = (bytes: Buffer): Buffer => bytes;

    const error = await new Promise<ServiceError | null>((resolve) => client.makeUnaryRequest(path, asIs, asIs, field(1, field(2, notUtf8)), (thrown) => resolve(thrown)));

    assert.equal(error?.message, '3 INVALID_ARGUMENT: RunPodSandbox config.hostname: the text is not valid UTF-8');
  });
}
