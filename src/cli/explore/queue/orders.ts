/** What goes through the queue: programs, orders and answers, as bytes. */
import { isAbsolute, join, relative } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { gunzipSync, gzipSync } from 'node:zlib';
import { PROJECT_ROOT } from '../../paths.ts';
import type { Answer, ExploreData, Order } from '../pool.ts';
import { type ContentHash, hashOf } from './files.ts';
import type { Identity } from './identity.ts';

/** What all runs of a campaign have in common: the machine, and its files by their content. */
export interface Program {
  readonly made: Identity;
  /** Where the explorer's program is. */
  readonly root: string;
  readonly image: ExploreData['image'];
  readonly cli: ExploreData['cli'];
  readonly files: readonly (readonly [path: string, hash: ContentHash])[];
}

export const packProgram = (program: Program): Uint8Array => new Uint8Array(serialize(program));
export const unpackProgram = (bytes: Uint8Array): Program => deserialize(bytes) as Program;

/**
 * The names that a file of the explorer has on this machine: its own, and for what belongs to the program, such as its hypervisor,
 * also where that is installed here.
 * @param root where the explorer's program is
 */
export function namesHere(path: string, root: string, here = PROJECT_ROOT): string[] {
  const inside = isAbsolute(path) ? relative(root, path) : '..';
  return inside.startsWith('..') || isAbsolute(inside) ? [path] : [path, join(here, inside)];
}

/** A job of the queue. */
export interface RunData {
  readonly program: ContentHash;
  /** Packed. */
  readonly order: string;
}
/** What a worker answers. */
export interface RunResult {
  /** Packed. */
  readonly answer: string;
  /** Of a run that was recorded. */
  readonly recording?: ContentHash;
}

const pack = (value: unknown): string => gzipSync(JSON.stringify(value)).toString('base64');
const unpack = (text: string): unknown => JSON.parse(gunzipSync(Buffer.from(text, 'base64')).toString());

export const packOrder = (order: Order): string => pack(order);
export const unpackOrder = (text: string): Order => unpack(text) as Order;

/** The decisions of a run that is fine are many, and nobody asks for them. */
export const packAnswer = (answer: Answer): string =>
  pack('outcome' in answer && !answer.outcome.finding ? { outcome: { ...answer.outcome, decisions: [] } } : answer);
export const unpackAnswer = (text: string): Answer => unpack(text) as Answer;

/** The same order of the same program has the same name, so what has been run already is not run again. */
export const orderName = (program: ContentHash, order: Order): string =>
  hashOf(new TextEncoder().encode(JSON.stringify([program, order]))).slice(0, 32);
