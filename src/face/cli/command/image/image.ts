import type { CommandGroup } from '../../command-group.ts';
import { images } from '../images.ts';
import { adopt } from './adopt.ts';
import { inspect } from './inspect.ts';
import { importImages, load } from './load.ts';
import { rm } from './rm.ts';
import { exportImages, save } from './save.ts';
import { tag } from './tag.ts';

export const image: CommandGroup = {
  name: 'image',
  summary: 'load, save, tag, list, inspect and remove images',
  usage: 'gantry image COMMAND [flags]',
  commands: [
    { ...images, name: 'image ls', usage: 'gantry image ls [flags]', examples: images.examples.map((example) => example.replace('gantry images', 'gantry image ls')) },
    inspect, load, importImages, save, exportImages, adopt, tag, rm,
  ],
  examples: ['gantry image save -o web.tar web:1', 'gantry image load web.tar'],
};
