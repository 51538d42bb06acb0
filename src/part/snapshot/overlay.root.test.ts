import { overlaySnapshotter } from './overlay.ts';
import { snapshotContract } from './snapshot-contract.suite.ts';

snapshotContract(overlaySnapshotter);
