import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest, suggestion } from './nearest.ts';

test('a slip finds the word that was meant', () => {
  const known = ['log.level', 'log.format', 'cni.conf_dir'];

  assert.equal(nearest('log.levle', known), 'log.level');
  assert.equal(nearest('loglevel', known), 'log.level');
  assert.equal(nearest('cni.confdir', known), 'cni.conf_dir');
  assert.equal(nearest('og.level', known), 'log.level');
});

test('what is far from every word suggests nothing', () => {
  assert.equal(nearest('colour', ['log.level', 'root']), undefined);
  assert.equal(suggestion('xy', ['ps', 'rm']), '');
  assert.equal(suggestion('pul', ['pull', 'ps']), ': did you mean pull?');
});
