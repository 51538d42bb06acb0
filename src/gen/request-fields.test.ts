import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { faultsOfTable, fieldsOfTable, messagesBelow, requests, tables } from './request-fields.fake.ts';

test('every message of the requests that make or change pods and containers has a table of tests, and only one', () => {
  const wanted = new Set(requests.flatMap((request) => [...messagesBelow(request)]));
  const answered = Object.values(tables).flat();

  assert.deepEqual(answered.toSorted(), [...wanted].toSorted());
  for (const file of Object.keys(tables)) assert.ok(existsSync(path.resolve(import.meta.dirname, '../..', file)), `${file} is not there`);
});

test('a table in which a row is missing, made up or without proof is told so', () => {
  const file = 'src/native/pod/pod-fields.test.ts';
  const [first, second, ...others] = fieldsOfTable(file).map((field) => ({ field }));
  const unproven = { ...second!, proof: { file: 'src/gen/cri.test.ts', test: 'no such test' } };

  assert.deepEqual(faultsOfTable(file, [first!, second!, ...others]), []);
  assert.deepEqual(faultsOfTable(file, [unproven, ...others, { field: 'PodSandboxConfig.mood' }]), [
    `${first!.field} has no row`,
    'there is no field PodSandboxConfig.mood',
    `${second!.field}: no test "no such test" in src/gen/cri.test.ts`,
  ]);
});

test('the table of the container spec answers for the messages that are listed as its own', () => {
  const file = 'src/part/spec/cri-fields.test.ts';
  const text = readFileSync(path.resolve(import.meta.dirname, '../..', file), 'utf8');
  const listed = /const messages = \{([^}]*)\}/.exec(text)![1]!.split(',').map((name) => name.trim()).filter((name) => name !== '');

  assert.deepEqual(tables[file]!.filter((message) => !listed.includes(message)), []);
});
