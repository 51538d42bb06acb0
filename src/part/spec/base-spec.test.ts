import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mergeBaseSpec, parseBaseSpec } from './base-spec.ts';
import { buildContainerSpec } from './build-container-spec.ts';
import { encodeSpec } from './encode-spec.ts';
import { exampleInput } from './example-input.fake.ts';

const base = (spec: object) => parseBaseSpec(JSON.stringify(spec), '/etc/gantry/base.json');
const over = (below: object, spec: object): unknown => mergeBaseSpec(base(below), spec);

test('what only one of the two says is kept, what both say is the word of the spec', () => {
  assert.deepEqual(over({ hostname: 'a', domainname: 'd', process: { cwd: '/x', ioPriority: { class: 'IOPRIO_CLASS_IDLE' } } }, { hostname: 'b', process: { cwd: '/' } }), {
    hostname: 'b', domainname: 'd', process: { cwd: '/', ioPriority: { class: 'IOPRIO_CLASS_IDLE' } },
  });
});

test('lists of named things are joined by their names, the base in front', () => {
  assert.deepEqual(over({ process: { env: ['A=base', 'B=base'] } }, { process: { env: ['B=spec', 'C=spec'] } }), { process: { env: ['A=base', 'B=spec', 'C=spec'] } });
  assert.deepEqual(over({ mounts: [{ destination: '/proc', type: 'bind' }, { destination: '/opt' }] }, { mounts: [{ destination: '/proc', type: 'proc' }] }), {
    mounts: [{ destination: '/opt' }, { destination: '/proc', type: 'proc' }],
  });
  assert.deepEqual(over({ linux: { maskedPaths: ['/a', '/b'] } }, { linux: { maskedPaths: ['/b', '/c'] } }), { linux: { maskedPaths: ['/a', '/b', '/c'] } });
  assert.deepEqual(over({ process: { rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: 0 }] } }, { process: { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 1 }] } }), {
    process: { rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: 0 }, { type: 'RLIMIT_NOFILE', soft: 1, hard: 1 }] },
  });
});

test('device rules of the base come after, for later ones decide', () => {
  const merged = over({ linux: { resources: { devices: [{ allow: true, type: 'c', access: 'rw' }] } } }, { linux: { resources: { devices: [{ allow: false, access: 'rwm' }] } } });

  assert.deepEqual(merged, { linux: { resources: { devices: [{ allow: false, access: 'rwm' }, { allow: true, type: 'c', access: 'rw' }] } } });
});

test('what is one decision is never mixed', () => {
  const linux = { seccomp: { defaultAction: 'SCMP_ACT_ALLOW', flags: ['SECCOMP_FILTER_FLAG_LOG'] }, namespaces: [{ type: 'user' }] };

  assert.deepEqual(over({ linux }, { linux: { seccomp: { defaultAction: 'SCMP_ACT_ERRNO' }, namespaces: [{ type: 'mount' }] } }), {
    linux: { seccomp: { defaultAction: 'SCMP_ACT_ERRNO' }, namespaces: [{ type: 'mount' }] },
  });
  assert.deepEqual(over({ process: { user: { uid: 5, umask: 7 }, capabilities: { bounding: ['CAP_SYS_ADMIN'] } } }, { process: { user: { uid: 0 }, capabilities: {} } }), {
    process: { user: { uid: 0 }, capabilities: {} },
  });
});

test('a container gets the hooks and limits of its handler and stays what it is', () => {
  const input = exampleInput({ handler: { baseSpec: base({ ociVersion: '1.1.0', process: { args: ['/evil'], oomScoreAdj: 5 }, hooks: { poststop: [{ path: '/bin/true' }] }, linux: { sysctl: { a: 'b' } } }) } });

  const spec = buildContainerSpec(input);

  assert.deepEqual(spec, { ...buildContainerSpec(exampleInput()), hooks: { poststop: [{ path: '/bin/true' }] }, linux: { ...buildContainerSpec(exampleInput()).linux, sysctl: { a: 'b' } } });
});

test('two containers share nothing of their base', () => {
  const shared = base({ hooks: { poststop: [{ path: '/bin/true' }] }, mounts: [{ destination: '/opt' }] });
  const [one, other] = [mergeBaseSpec(shared, { mounts: [] }), mergeBaseSpec(shared, { mounts: [] })] as { mounts: { destination: string }[] }[];

  one!.mounts[0]!.destination = 'spoilt';

  assert.equal(other!.mounts[0]!.destination, '/opt');
});

test('64-bit numbers keep their digits', () => {
  const parsed = parseBaseSpec('{"linux":{"resources":{"memory":{"limit":9223372036854771713}}}}', '/b');

  assert.match(encodeSpec(mergeBaseSpec(parsed, { linux: {} }) as never), /"limit":9223372036854771713/);
});

test('a file that is no config.json is refused with the place', () => {
  const refused = (text: string): string => {
    try {
      parseBaseSpec(text, '/b.json');
      return 'accepted';
    } catch (error) {
      assert.equal((error as { kind?: string }).kind, 'failed-precondition');
      return (error as Error).message.replace(/^read base spec \/b\.json: /, '');
    }
  };

  assert.match(refused('{"a'), /JSON/);
  assert.equal(refused('[]'), 'it is not a JSON object');
  assert.equal(refused('{"proces":{}}'), 'proces is no member of an OCI config.json for Linux');
  assert.equal(refused('{"windows":{}}'), 'windows is no member of an OCI config.json for Linux');
  assert.equal(refused('{"ociVersion":"2.0.0"}'), 'ociVersion is 2.0.0, not 1.x');
  assert.equal(refused('{"process":[]}'), 'process is not an object');
  assert.equal(refused('{"process":{"env":{}}}'), 'process.env is not a list');
  assert.equal(refused('{"process":{"env":[1]}}'), 'process.env has others than texts');
  assert.equal(refused('{"mounts":[{"source":"/"}]}'), 'mounts has others than objects with a destination');
  assert.equal(refused('{"hooks":{"prestart":{}}}'), 'hooks.prestart is not a list');
  assert.equal(refused('{"annotations":{"a":1}}'), 'annotations has others than texts');
  assert.equal(refused('{}'), 'accepted');
});
