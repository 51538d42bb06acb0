import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeldThing } from '../../base/held-thing.ts';
import { silentLogger } from '../../base/log.ts';
import { Debts } from '../../part/store/debts.ts';
import { LeakSearch } from './leak-search.ts';
import type { LeakPlace } from './leak-search.ts';

const debts = new Debts({ log: silentLogger });

/** A host that is a list of `kind name owner`. */
function hostWith(...lines: string[]): { things: Set<string>; find: () => Promise<HeldThing[]> } {
  const things = new Set(lines);
  return {
    things,
    find: async () => [...things].map((line) => {
      const [kind, name, owner] = line.split(' ') as [string, string, string];
      return {
        kind, name, owner,
        async remove() {
          if (name === 'stuck') throw new Error('it is busy');
          things.delete(line);
        },
      };
    }),
  };
}

function searchIn(...places: Partial<LeakPlace>[]): LeakSearch {
  return new LeakSearch({ places: places.map((place) => ({ name: 'place', owners: () => new Set<string>(), find: async () => [], ...place })), debts, log: silentLogger });
}

const leak = (kind: string, name: string, owner: string) => ({ kind, name, owner, since: 0n, bytes: 0n });

test('what nobody owns is a leak, in the order of the places', async () => {
  const owners = (): Set<string> => new Set(['known']);
  const search = searchIn({ owners, find: hostWith('mount /a lost', 'mount /b known').find }, { owners, find: hostWith('bundle /c lost').find });

  assert.deepEqual((await search.list()).leaks, [leak('mount', '/a', 'lost'), leak('bundle', '/c', 'lost')]);
});

test('what came to be or went away while we looked was owned at one end of the look', async () => {
  const owners = new Set(['going']);
  const search = searchIn({
    owners: () => new Set(owners),
    find: async () => {
      owners.delete('going');
      owners.add('coming');
      return await hostWith('mount /a going', 'mount /b coming', 'mount /c lost').find();
    },
  });

  assert.deepEqual((await search.list()).leaks, [leak('mount', '/c', 'lost')]);
});

test('where others have things too, only what carries an id of ours counts', async () => {
  const search = searchIn({ isOurs: (id) => id === 'ours', find: hostWith('cgroup /a ours', 'cgroup /b theirs').find });

  assert.deepEqual((await search.list()).leaks, [leak('cgroup', '/a', 'ours')]);
});

test('a place that cannot be looked at is named, and hides no other', async () => {
  const search = searchIn({ name: 'firewall', find: () => Promise.reject(new Error('iptables hangs')) }, { find: hostWith('mount /a lost').find });

  const { leaks, unseen } = await search.list();

  assert.deepEqual([leaks.length, unseen], [1, ['firewall: iptables hangs']]);
});

test('only what was asked for and still is a leak is cleared; what stays says why', async () => {
  const owners = new Set<string>();
  const { things, find } = hostWith('mount stuck lost', 'mount /a lost', 'mount /b lost', 'mount /c adopted');
  const search = searchIn({ owners: () => owners, find });
  const { leaks } = await search.list();
  owners.add('adopted');

  const cleared = await search.clear(leaks.filter(({ name }) => name !== '/b'));

  assert.deepEqual(cleared, [{ leak: leak('mount', 'stuck', 'lost'), error: 'it is busy' }, { leak: leak('mount', '/a', 'lost'), error: '' }]);
  assert.deepEqual([...things], ['mount stuck lost', 'mount /b lost', 'mount /c adopted']);
  assert.deepEqual(await search.clear([leak('mount', '/a', 'lost')]), []);
});
