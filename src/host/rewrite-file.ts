import { open } from 'node:fs/promises';
import { constants } from 'node:fs';

/**
 * Gives a file that is there other content, and keeps the file itself: who has it mounted sees the change. No symlink is followed at its end.
 * Not durable: for files that a reboot makes anew.
 */
export async function rewriteFile(path: string, content: string): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_TRUNC | constants.O_NOFOLLOW);
  try {
    await file.writeFile(content);
  } finally {
    await file.close();
  }
}
