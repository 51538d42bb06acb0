/** What this API does not do, by Docker's name for it, and what to do instead. A request for it is answered 403 with such a sentence. */
export interface Refusal {
  /** As of an endpoint. */
  readonly route: string;
  /** What people call it. */
  readonly command: string;
  readonly instead: string;
}

const stopPod = 'delete its pod with kubectl delete pod, or on the node crictl stop or gantry stop';
const removePod = 'delete its pod with kubectl delete pod, or on the node crictl rm or gantry rm';
const editPod = 'change the spec of its pod, and the kubelet makes a new container';
const runPod = 'make a pod with kubectl run or kubectl apply, or on the node crictl run or gantry play';
const runInside = 'kubectl exec, or on the node crictl exec or gantry exec';
const pull = 'the kubelet pulls what pods name; on the node crictl pull or gantry pull';
const removeImage = 'the kubelet removes what no pod needs; on the node crictl rmi or gantry image rm';
const build = 'build where images are made, with BuildKit, Buildah, Podman or Docker, and push to a registry; on the node gantry image load takes an archive';
const copyFiles = 'kubectl cp, or a command with kubectl exec';
const network = 'the networks of pods are made by CNI, from the configuration in its directory';
const volume = 'the volumes of pods are made by the kubelet: PersistentVolumeClaim, emptyDir or hostPath in the spec of a pod';
const login = 'give a pod imagePullSecrets, or the node credentials in an auth file that the configuration names';
const swarm = 'use Deployments, Services, Secrets and ConfigMaps with kubectl';
const plugin = 'CNI and CSI are what nodes of Kubernetes have in their place';

const rows: readonly (readonly [route: string, command: string, instead: string])[] = [
  ['POST /containers/create', 'docker run', runPod],
  ['POST /containers/{id}/start', 'docker start', runPod],
  ['POST /containers/{id}/stop', 'docker stop', stopPod],
  ['POST /containers/{id}/kill', 'docker kill', stopPod],
  ['POST /containers/{id}/restart', 'docker restart', 'delete its pod with kubectl delete pod or roll it over with kubectl rollout restart; crictl stop lets the kubelet make a new one'],
  ['POST /containers/{id}/pause', 'docker pause', 'a container can be stopped, by crictl stop or kubectl delete pod, not paused'],
  ['POST /containers/{id}/unpause', 'docker unpause', 'a container can be stopped, by crictl stop or kubectl delete pod, not paused'],
  ['POST /containers/{id}/update', 'docker update', 'kubectl edit pod --subresource resize, or on the node crictl update'],
  ['POST /containers/{id}/rename', 'docker rename', editPod],
  ['POST /containers/{id}/wait', 'docker wait', 'watch its state with kubectl wait, or on the node crictl inspect or docker events'],
  ['POST /containers/{id}/attach', 'docker attach', 'kubectl attach, or on the node crictl attach or gantry attach'],
  ['GET /containers/{id}/attach/ws', 'docker attach', 'kubectl attach, or on the node crictl attach or gantry attach'],
  ['POST /containers/{id}/resize', 'docker attach', 'kubectl attach, or on the node crictl attach or gantry attach'],
  ['POST /containers/{id}/exec', 'docker exec', runInside],
  ['POST /exec/{id}/start', 'docker exec', runInside],
  ['POST /exec/{id}/resize', 'docker exec', runInside],
  ['DELETE /containers/{id}', 'docker rm', removePod],
  ['POST /containers/prune', 'docker container prune', removePod],
  ['HEAD /containers/{id}/archive', 'docker cp', copyFiles],
  ['GET /containers/{id}/archive', 'docker cp', copyFiles],
  ['PUT /containers/{id}/archive', 'docker cp', copyFiles],
  ['GET /containers/{id}/export', 'docker export', copyFiles],
  ['GET /containers/{id}/changes', 'docker diff', 'crictl inspect names its writable layer'],
  ['GET /containers/{id}/top', 'docker top', 'ps with kubectl exec, or on the node ps of the pid that docker inspect or crictl inspect tells'],
  ['POST /commit', 'docker commit', build],
  ['POST /build', 'docker build', build],
  ['POST /build/prune', 'docker builder prune', build],
  ['POST /build/cancel', 'docker build', build],
  ['POST /session', 'docker build', build],
  ['POST /grpc', 'docker build', build],
  ['POST /images/create', 'docker pull', pull],
  ['GET /images/search', 'docker search', 'ask the registry, with skopeo list-tags for instance'],
  ['GET /distribution/{name…}/json', 'docker manifest inspect', 'ask the registry, with skopeo inspect for instance'],
  ['POST /images/load', 'docker load', 'gantry image load on the node'],
  ['GET /images/get', 'docker save', 'gantry image save on the node'],
  ['GET /images/{name…}/get', 'docker save', 'gantry image save on the node'],
  ['POST /images/{name…}/push', 'docker push', 'gantry image save on the node, and skopeo copy'],
  ['POST /images/{name…}/tag', 'docker tag', 'gantry image tag on the node'],
  ['DELETE /images/{name…}', 'docker rmi', removeImage],
  ['POST /images/prune', 'docker image prune', removeImage],
  ['POST /auth', 'docker login', login],
  ['POST /networks/create', 'docker network create', network],
  ['POST /networks/{id}/connect', 'docker network connect', network],
  ['POST /networks/{id}/disconnect', 'docker network disconnect', network],
  ['POST /networks/prune', 'docker network prune', network],
  ['DELETE /networks/{id}', 'docker network rm', network],
  ['POST /volumes/create', 'docker volume create', volume],
  ['POST /volumes/prune', 'docker volume prune', volume],
  ['PUT /volumes/{name}', 'docker volume update', volume],
  ['DELETE /volumes/{name}', 'docker volume rm', volume],
  ['POST /swarm/{what}', 'docker swarm', swarm],
  ['POST /services/{what…}', 'docker service', swarm],
  ['POST /secrets/{what…}', 'docker secret', swarm],
  ['POST /configs/{what…}', 'docker config', swarm],
  ['POST /nodes/{what…}', 'docker node', swarm],
  ['POST /plugins/{what…}', 'docker plugin', plugin],
];

export const refusals: readonly Refusal[] = rows.map(([route, command, instead]) => ({ route, command, instead }));

/** Changes that nobody has thought of. */
export const unknownChange: Omit<Refusal, 'route'> = { command: 'this request', instead: 'use kubectl, or on the node crictl or gantry' };

export function refusalMessage({ command, instead }: Omit<Refusal, 'route'>): string {
  return `${command} is not for this socket, over which gantry only tells what there is: ${instead}`;
}
