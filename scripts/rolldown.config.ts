/**
 * The bundle of the program under build/cli: what `run` loads is in few files, because Node needs a millisecond for each. A file has the
 * modules that the same starts need, so no start loads what only another one uses.
 */
import { join } from 'node:path';
import { defineConfig } from 'rolldown';

/** What is loaded at once: the command line, `run`, and the threads. */
const STARTS = ['program', 'run', 'cpu-worker', 'explore-worker'] as const;
type Start = (typeof STARTS)[number];
const CLI = join(import.meta.dirname, '..', 'src', 'cli');
/** How modules import each other. */
interface Graph {
  getModuleInfo(id: string): { readonly importedIds: readonly string[] } | null;
}

let sets: ReadonlyMap<Start, ReadonlySet<string>> | undefined;

/** The modules that a module imports, directly or not, with itself. */
function closure(graph: Graph, from: string): ReadonlySet<string> {
  const found = new Set([from]);
  for (const id of found) for (const next of graph.getModuleInfo(id)?.importedIds ?? []) found.add(next);
  return found;
}

/** The file for a module: named by the starts that need it. null: those that `run` does not need are left to rolldown. */
function fileOf(id: string, graph: Graph): string | null {
  sets ??= new Map(STARTS.map((start) => [start, closure(graph, join(CLI, `${start}.ts`))]));
  if (!sets.get('run')!.has(id)) return null;
  return STARTS.filter((start) => sets!.get(start)!.has(id)).join('-');
}

export default defineConfig({
  input: ['main', 'library-start', 'cpu-worker', 'explore-worker', 'file-thread', 'nbd-thread'].map(
    (name) => `src/cli/${name}.ts`,
  ),
  platform: 'node',
  output: { format: 'esm', minify: false, codeSplitting: { groups: [{ name: fileOf }] } },
});
