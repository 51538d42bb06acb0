import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changed, check, factsOf, unreadable } from './check-wire.ts';

const published = factsOf(`
  syntax = "proto3";
  package runtime.v1;
  service RuntimeService { rpc Version(Ask) returns (Answer) {} rpc Watch(Ask) returns (stream Answer) {} }
  enum Mood { CALM = 0; LOUD = 1; }
  message Ask { enum Kind { A = 0; } string name = 1; Kind kind = 2; map<string, int64> counts = 3; }
  message Answer { repeated Ask asks = 1; Mood mood = 4 [deprecated = true]; }
`);

function edited(from: string, to: string): ReturnType<typeof factsOf> {
  return JSON.parse(JSON.stringify(published).replace(from, to)) as ReturnType<typeof factsOf>;
}

test('our proto is the published one and reads its elders', () => {
  assert.deepEqual(check(), []);
});

test('the facts of a proto are its names, numbers and types', () => {
  assert.deepEqual(published.messages, {
    Ask: [[1, 'name', 'string'], [2, 'kind', 'Ask.Kind'], [3, 'counts', 'map<string, int64>']],
    Answer: [[1, 'asks', 'repeated Ask'], [4, 'mood', 'Mood']],
  });
  assert.deepEqual(published.rpcs, { 'RuntimeService.Version': '(Ask) returns (Answer)', 'RuntimeService.Watch': '(Ask) returns (stream Answer)' });
  assert.deepEqual(published.enums, { 'Mood': { CALM: 0, LOUD: 1 }, 'Ask.Kind': { A: 0 } });
});

test('a renamed, renumbered, retyped, missing or additional thing is told', () => {
  assert.deepEqual(changed(published, published), []);
  assert.deepEqual(changed(published, edited('"name"', '"title"')), ['missing: Ask: string name = 1', 'not published: Ask: string title = 1']);
  const renumbered = edited('[4,"mood"', '[5,"mood"');
  assert.deepEqual(changed(published, renumbered), ['missing: Answer: Mood mood = 4', 'not published: Answer: Mood mood = 5']);
  const single = edited('"repeated Ask"', '"Ask"');
  assert.deepEqual(changed(published, single), ['missing: Answer: repeated Ask asks = 1', 'not published: Answer: Ask asks = 1']);
  assert.deepEqual(changed(published, edited(',"LOUD":1', '')), ['missing: enum Mood.LOUD = 1']);
  assert.deepEqual(changed(published, edited('stream Answer', 'Answer')), [
    'missing: rpc RuntimeService.Watch(Ask) returns (stream Answer)', 'not published: rpc RuntimeService.Watch(Ask) returns (Answer)',
  ]);
});

test('an older release needs its numbers and types, not its names', () => {
  assert.deepEqual(unreadable(published, edited('"name","string"', '"title","bytes"')), []);
  assert.deepEqual(unreadable(published, edited('"LOUD":1', '"NOISY":1')), []);
  const stringMap = edited('map<string, int64>', 'map<string, string>');
  assert.deepEqual(unreadable(published, stringMap), ['Ask: map<string, int64> counts = 3: ours is map<string, string>']);
  assert.deepEqual(unreadable(published, edited('[1,"name","string"],', '')), ['Ask: string name = 1: ours is absent']);
  assert.deepEqual(unreadable(published, edited('"LOUD":1', '"LOUD":2')), ['enum Mood.LOUD = 1: ours has no such number']);
  assert.deepEqual(unreadable(published, edited('.Version"', '.Release"')), ['rpc RuntimeService.Version(Ask) returns (Answer): ours is absent']);
});
