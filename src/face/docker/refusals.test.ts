/** Every change is refused with what to do instead, and reaches no engine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageWith, servedNode } from './node.fake.ts';
import { refusals } from './refusals.ts';

/** The command and the way of Kubernetes that its sentence has to name. */
const wanted: Readonly<Record<string, RegExp>> = {
  'docker run': /kubectl run .*crictl run/, 'docker start': /kubectl run .*crictl run/, 'docker stop': /kubectl delete pod.*crictl stop/, 'docker kill': /kubectl delete pod.*crictl stop/,
  'docker restart': /kubectl rollout restart.*crictl stop/, 'docker pause': /crictl stop or kubectl delete pod/, 'docker unpause': /crictl stop or kubectl delete pod/, 'docker update': /crictl update/,
  'docker rename': /the spec of its pod/, 'docker wait': /crictl inspect/, 'docker attach': /crictl attach/, 'docker exec': /kubectl exec.*crictl exec/, 'docker rm': /kubectl delete pod.*crictl rm/,
  'docker container prune': /crictl rm/, 'docker cp': /kubectl cp/, 'docker export': /kubectl cp/, 'docker diff': /crictl inspect/, 'docker top': /kubectl exec/, 'docker commit': /gantry image load/, 'docker build': /gantry image load/,
  'docker builder prune': /gantry image load/, 'docker pull': /crictl pull/, 'docker search': /skopeo list-tags/, 'docker manifest inspect': /skopeo inspect/, 'docker load': /gantry image load/, 'docker save': /gantry image save/,
  'docker push': /skopeo copy/, 'docker tag': /gantry image tag/, 'docker rmi': /crictl rmi/, 'docker image prune': /crictl rmi/, 'docker login': /imagePullSecrets/, 'docker network create': /CNI/, 'docker network connect': /CNI/,
  'docker network disconnect': /CNI/, 'docker network prune': /CNI/, 'docker network rm': /CNI/, 'docker volume create': /PersistentVolumeClaim/, 'docker volume prune': /PersistentVolumeClaim/, 'docker volume update': /PersistentVolumeClaim/,
  'docker volume rm': /PersistentVolumeClaim/, 'docker swarm': /kubectl/, 'docker service': /kubectl/, 'docker secret': /kubectl/, 'docker config': /kubectl/, 'docker node': /kubectl/, 'docker plugin': /CNI and CSI/,
};

test('each is refused with a sentence that names the way', async (t) => {
  const { ask, clients } = await servedNode(t);

  for (const { route, command } of refusals) {
    const [method = '', path = ''] = route.split(' ');
    const line = `${method} /v1.44${path.replaceAll(/\{\w+(…?)\}/g, (_, more: string) => (more === '' ? 'x' : 'a/b'))}`;
    const answer = await ask(line, method === 'POST' || method === 'PUT' ? { body: '{}' } : {});

    if (method === 'HEAD') assert.equal(answer.status, 403, route); // without a body
    else {
      const message = messageWith(403, answer);
      assert.ok(message.startsWith(`${command} is not for this socket, over which gantry only tells what there is: `), `${route}: ${message}`);
      assert.match(message, wanted[command] ?? assert.fail(`${command} has no row`), route);
    }
  }
  const [client] = clients.list();
  assert.equal(client?.refused, BigInt(refusals.length));
  assert.equal(client?.requests, client?.refused);
});

test('a change that nobody has thought of is refused too, and other paths are not there', async (t) => {
  const { ask } = await servedNode(t);

  for (const line of ['POST /new/thing', 'DELETE /_ping', 'PATCH /containers/x', 'PUT /info']) {
    assert.equal(messageWith(403, await ask(line)), 'this request is not for this socket, over which gantry only tells what there is: use kubectl, or on the node crictl or gantry');
  }
  for (const line of ['GET /', 'GET /containers', 'GET /v1.44', 'GET /containers/x/y/json']) assert.equal(messageWith(404, await ask(line)), 'page not found');
});
