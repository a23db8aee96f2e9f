/** `monitor bookmark`, `bookmarks`: names of moments. */
import type { Target } from '../target.ts';
import { type Command, lines } from './command.ts';

function bookmark(s: Target, [name, other, ...more]: readonly string[]): string {
  const { bookmarks, history } = s.control;
  if (name === undefined || more.length > 0) throw new Error('a name expected');
  if (name === 'delete' && other !== undefined) {
    bookmarks.delete(other);
    return `no bookmark ${other} any more\n`;
  }
  if (other !== undefined) throw new Error('one name expected');
  if (!history.enabled) throw new Error("the past is not kept: 'monitor reverse on'");
  bookmarks.set(name, history.position);
  return `bookmark ${name}: instruction ${history.position}\n`;
}

export const BOOKMARK_COMMANDS: readonly Command[] = [
  {
    name: 'bookmark',
    args: 'NAME, or delete NAME',
    help: "a name for this moment, for 'monitor goto NAME'; a recording keeps it",
    run: bookmark,
  },
  {
    name: 'bookmarks',
    args: '',
    help: 'the moments that have names',
    run: (s) => {
      const { list } = s.control.bookmarks;
      return list.length === 0 ? 'none\n' : lines(list.map(([name, at]) => `${at} ${name}`));
    },
  },
];
