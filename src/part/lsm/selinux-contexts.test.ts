import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSelinuxContexts } from './selinux-contexts.ts';

test("the contexts of containers are read from the policy's file", () => {
  const text = '# for containers\nprocess = "system_u:system_r:container_t:s0"\ncontent="system_u:object_r:virt_var_lib_t:s0"\n  file="system_u:object_r:container_file_t:s0:c0.c3"\nro_file = "u:r:layer_t:s0"\n';

  assert.deepEqual(parseSelinuxContexts(text), { process: 'system_u:system_r:container_t:s0', file: 'system_u:object_r:container_file_t:s0:c0.c3', layer: 'u:r:layer_t:s0' });
});

test('layers are like other files of containers where the policy has no context for them', () => {
  for (const line of ['', 'ro_file = "x"\n']) assert.equal(parseSelinuxContexts(`process = "u:r:p_t:s0"\nfile = "u:r:f_t:s0"\n${line}`)?.layer, 'u:r:f_t:s0', line);
});

test('a file without both contexts, or with half a context, is none', () => {
  for (const text of ['', 'process = "a:b:c:s0"\n', 'process = "a:b:c:s0"\nfile = "a:b:c"\n', 'process = "a:b:c:s0"\nro_file = "a:b:c:s0"\n']) assert.equal(parseSelinuxContexts(text), undefined, text);
});
